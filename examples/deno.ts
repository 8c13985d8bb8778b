// Writes an image to a file, with only the permissions that it needs:
//   deno run --allow-net --allow-read=image-cache --allow-write=image-cache,balena.img deno.ts
// Arguments: device type, version, file, API. All hosts are allowed, because the API names the host of the files with each link.
import { createImageManager } from "balena-image-manager";
import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
import { fsAdapter } from "balena-image-manager/adapters/fs";

const [deviceType = "raspberrypi4-64", versionOrRange = "latest", path = "balena.img", apiUrl] = Deno.args;

await using images = createImageManager({
  source: balenaApiSource({ apiUrl }),
  storage: fsAdapter({ base: "./image-cache" }),
});

const image = await images.get(deviceType, versionOrRange);
const file = await Deno.open(path, { write: true, create: true, truncate: true });
await image.pipeTo(file.writable);
console.log(`balenaOS ${image.version} in ${path}, from ${image.origin}`);
