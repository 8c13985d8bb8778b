/** A store that takes chunks more slowly than they come: it may hold up who reads for a while, and then the caching ends. */
import { expect, onTestFinished, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { sleep } from "../../../src/core/waiting.ts";
import { collect } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";

const imageBytes = 8 * 1024 * 1024;
const chunks = imageBytes / chunkBytes;
const api = await sharedApi({ imageBytes, holeFree: true });
const sha256 = await api.image(slug, version).sha256;
const raw = { fileType: ".img" } as const;

/** A slow store: it takes one chunk after the other, each in so many milliseconds. */
function slowStore(chunkMs: number): StoreDriver & { readonly taken: string[] } {
  const plain = memoryAdapter();
  const taken: string[] = [];
  let turn = Promise.resolve();
  return {
    ...plain,
    taken,
    setItemRaw: async (key: string, bytes: Uint8Array) => {
      if (key.includes(":chunks:")) {
        turn = turn.then(() => sleep(chunkMs));
        await turn;
        taken.push(key);
      }
      await plain.setItemRaw?.(key, bytes, {});
    },
  };
}

function managerOver(storage: StoreDriver, storeTimeoutMs: number) {
  const made = createTestManager(api, { storage, storeTimeoutMs, memoryBytes: imageBytes });
  onTestFinished(() => made.manager.close());
  return made;
}

test("the reader waits storeTimeoutMs in all, then gets the rest at the speed of the download, with an event", async () => {
  const store = slowStore(500);
  const { manager, events } = managerOver(store, 600);
  const stream = await manager.get(slug, version, raw);
  expect((await collect(stream)).sha256).toBe(sha256);
  expect(store.taken.length).toBeLessThan(chunks / 2);
  expect(await stream.committed()).toBeUndefined();
  const faults = events.of("store-fault").map(({ operation, cause }) => [operation, String(cause)]);
  expect(faults).toContainEqual(["write", expect.stringContaining("delayed the delivery")]);
});

test("a store that keeps up with half of the download is waited for, and the image is cached", async () => {
  const { manager, events } = managerOver(slowStore(60), 400);
  api.faults.connectionBytesPerSecond = 4 * 1024 * 1024;
  const stream = await manager.get(slug, version, raw);
  expect((await collect(stream)).sha256).toBe(sha256);
  expect(await stream.committed()).toMatchObject({ size: imageBytes });
  expect(events.of("store-fault")).toEqual([]);
});

test("a prefetch waits for the store, however slow that is", async () => {
  const { manager } = managerOver(slowStore(60), 600);
  expect(await manager.prefetch(slug, version, raw)).toMatchObject({ size: imageBytes });
});
