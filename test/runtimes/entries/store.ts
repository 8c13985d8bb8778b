// A process that gets images over a store that others use as well, and prints a line of JSON for each.
import { balenaApiSource } from "../../../src/adapters/balena-api/index.ts";
import { balenaSdkSource } from "../../../src/adapters/balena-sdk/index.ts";
import { createImageManager } from "../../../src/core/index.ts";
import { collect } from "../../support/collect.ts";
import { type StorePlace, storeAt } from "../suites/store-at.ts";

/** What the parent wants, as JSON in `TEST_TASK`. */
export interface StoreTask {
  readonly place: StorePlace;
  readonly source: "sdk" | "api";
  readonly apiUrl: string;
  readonly token: string;
  readonly deviceType: string;
  readonly versions: readonly string[];
}

/** How a get came out. */
export interface StoreReport {
  readonly version: string;
  readonly origin: string;
  readonly sha256: string;
}

const task = JSON.parse(process.env["TEST_TASK"] ?? "") as StoreTask;
const storage = storeAt(task.place);
const images = createImageManager({
  source: (task.source === "sdk" ? balenaSdkSource : balenaApiSource)({
    apiUrl: task.apiUrl,
    token: task.token,
  }),
  storage,
  chunkBytes: 1024 * 1024,
  freshness: { maxAgeMs: 60_000 },
});
for (const version of task.versions) {
  const image = await images.get(task.deviceType, version);
  const { sha256 } = await collect(image);
  console.log(JSON.stringify({ version, origin: image.origin, sha256 } satisfies StoreReport));
}
await images.close();
await storage.dispose?.();
