// A process that writes an image to a device and tells how far it is, to be killed on the way. Arguments: API, store, device.
import { balenaApiSource } from "../../../src/adapters/balena-api/index.ts";
import { fsAdapter } from "../../../src/adapters/fs/index.ts";
import { writeImage } from "../../../src/adapters/node/index.ts";
import { createImageManager } from "../../../src/core/index.ts";
import { slug, version } from "../../support/shared-api.ts";

const [apiUrl = "", base = "", device = ""] = process.argv.slice(2);
const manager = createImageManager({ source: balenaApiSource({ apiUrl }), storage: fsAdapter({ base }) });
await writeImage(manager, slug, version, device, {
  onProgress: ({ phase, percent }) => process.stdout.write(`${phase} ${percent}\n`),
});
