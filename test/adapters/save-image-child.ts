// A process that saves a cached image up to a place, where it stands still, and says how far it is: to be killed. See `save-image.test.ts`.
import { balenaSdkSource } from "../../src/adapters/balena-sdk/index.ts";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { saveImage } from "../../src/adapters/node/index.ts";
import { createImageManager, type StoreDriver } from "../../src/core/index.ts";

/** What the parent asks for. */
export interface SaveTask {
  readonly apiUrl: string;
  readonly base: string;
  readonly path: string;
  readonly deviceType: string;
  readonly version: string;
  /** Once so much is saved, no read of the store comes to its end. */
  readonly standsAtBytes: number;
}

const task = JSON.parse(process.argv[2] ?? "") as SaveTask;
let savedBytes = 0;
const manager = createImageManager({
  source: balenaSdkSource({ apiUrl: task.apiUrl }),
  storage: standing(fsAdapter({ base: task.base })),
  memoryBytes: 1024 * 1024,
});
await saveImage(manager, task.deviceType, task.version, task.path, {
  cache: "only-if-cached",
  onProgress({ transferredBytes }) {
    savedBytes = transferredBytes;
    process.stdout.write(`${transferredBytes}\n`);
  },
});
await manager.close();

function standing(driver: StoreDriver): StoreDriver {
  const read = async (key: string) => {
    // The interval keeps the process alive.
    if (savedBytes >= task.standsAtBytes) await new Promise(() => setInterval(() => undefined, 1_000));
    return driver.getItemRaw?.(key, {});
  };
  return { ...driver, getItemRaw: read };
}
