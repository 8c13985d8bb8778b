// A process that saves a cached image, slowly, and says how far it is: to be killed. See `save-image.test.ts`.
import { setTimeout as sleep } from "node:timers/promises";
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
  /** How long each read of the store takes. */
  readonly readMs: number;
}

const task = JSON.parse(process.argv[2] ?? "") as SaveTask;
const manager = createImageManager({
  source: balenaSdkSource({ apiUrl: task.apiUrl }),
  storage: slowed(fsAdapter({ base: task.base })),
  memoryBytes: 1024 * 1024,
});
await saveImage(manager, task.deviceType, task.version, task.path, {
  cache: "only-if-cached",
  onProgress: ({ transferredBytes }) => process.stdout.write(`${transferredBytes}\n`),
});
await manager.close();

function slowed(driver: StoreDriver): StoreDriver {
  const read = async (key: string) => {
    await sleep(task.readMs);
    return driver.getItemRaw?.(key, {});
  };
  return { ...driver, getItemRaw: read };
}
