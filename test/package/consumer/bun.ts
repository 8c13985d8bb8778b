// Compiled in the same project, with the types of Bun; never run.
import { createImageManager } from "balena-image-manager";
import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
import { fsAdapter } from "balena-image-manager/adapters/fs";
import { createImageHandler } from "balena-image-manager/http";

const images = createImageManager({
  source: balenaApiSource({ fetch }),
  storage: fsAdapter({ base: "./a" }),
  fetch,
});
Bun.serve({ port: 8080, fetch: createImageHandler(images) });
const image = await images.get("raspberrypi4-64");
await Bun.write("balena.img", new Response(image));
for await (const bytes of image) bytes.byteLength.toFixed();
