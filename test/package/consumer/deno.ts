// Compiled in the same project, by Deno; never run.
import { createImageManager } from "balena-image-manager";
import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
import { fsAdapter } from "balena-image-manager/adapters/fs";
import { createImageHandler } from "balena-image-manager/http";

await using images = createImageManager({
  source: balenaApiSource({ fetch }),
  storage: fsAdapter({ base: "./a" }),
  fetch,
});
const image = await images.get("raspberrypi4-64", "latest");
const file = await Deno.open("balena.img", { write: true, create: true, truncate: true });
await image.pipeTo(file.writable);
Deno.serve(createImageHandler(images));
