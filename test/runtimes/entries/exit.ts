// A script that uses a manager, breaks a get off and closes: after its last line the runtime must end by itself.
import { balenaApiSource } from "../../../src/adapters/balena-api/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { createImageManager } from "../../../src/core/index.ts";
import { startRemoteApi } from "../suites/remote-api.ts";

const api = await startRemoteApi(process.env["TEST_CONTROL_URL"] ?? "");
const images = createImageManager({
  source: balenaApiSource({ apiUrl: api.url }),
  storage: memoryAdapter(),
  chunkBytes: 256 * 1024,
});
await images.prefetch("raspberrypi4-64", "6.1.0");
await api.setFaults({ linkBytesPerSecond: 256 * 1024 });
const reader = (await images.get("raspberrypi4-64", "6.0.10")).getReader();
// The read under way ends with the close; its failure is no matter here.
await reader.read();
reader.read().catch(() => undefined);
await images.close();
console.log("closed");
