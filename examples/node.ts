// Saves an image to a file, from the cache if the copy is still right: node node.ts raspberrypi4-64 6.x balena.img
// Talks to balenaCloud with the login of the balena CLI, or to the API at BALENA_API_URL.
import { createImageManager } from "balena-image-manager";
import { balenaSdkSource } from "balena-image-manager/adapters/balena-sdk";
import { fsAdapter } from "balena-image-manager/adapters/fs";
import { nodeHash, nodeInflate, saveImage } from "balena-image-manager/node";

const [deviceType = "raspberrypi4-64", versionOrRange = "latest", path = "balena.img"] =
  process.argv.slice(2);

await using images = createImageManager({
  source: balenaSdkSource({ apiUrl: process.env["BALENA_API_URL"] }),
  storage: fsAdapter({ base: process.env["IMAGE_CACHE"] ?? "./image-cache" }),
  inflate: nodeInflate,
  hash: nodeHash,
  onEvent: (event) => console.error(event.type),
});

const { version, size } = await saveImage(images, deviceType, versionOrRange, path);
console.log(`balenaOS ${version}, ${size} bytes, in ${path}`);
