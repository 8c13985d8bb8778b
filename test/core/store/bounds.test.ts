/** What a store may answer has a bound for each kind of value: what is larger is a miss, and adapters hear of the bound. */
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { bounds } from "../../../src/core/bounds.ts";
import type { StoreDriver, StoreReadOptions } from "../../../src/core/index.ts";
import { toBase64 } from "../../../src/core/store/base64.ts";
import { createByteStore } from "../../../src/core/store/byte-store.ts";
import { readChunk } from "../../../src/core/store/chunk-store.ts";
import {
  catalogKey,
  chunkKey,
  imageKey,
  leaseKey,
  orphansKey,
  partialKey,
  useKey,
} from "../../../src/core/store/keys.ts";
import { type Manifest, writeManifest } from "../../../src/core/store/manifest.ts";
import { placeOf } from "../../support/chunk-place.ts";

const kinds: [kind: string, key: string, maxBytes: number][] = [
  ["a manifest", imageKey("pi~1~ab"), bounds.manifestBytes],
  ["a chunk", chunkKey("ab".repeat(32)), bounds.chunkBytes + bounds.chunkEncodingBytes],
  ["a lease", leaseKey("pi~1~ab", 1), bounds.recordBytes],
  ["a segment of a journal", partialKey("pi~1~ab", 1, 0), bounds.journalSegmentBytes],
  ["a last use", useKey("pi~1~ab"), bounds.recordBytes],
  ["a catalog", catalogKey("ab", "pi"), bounds.catalogBytes],
  ["any other value", orphansKey, bounds.valueBytes],
];

/** A store in which every value has so many bytes; it notes what it was told of bounds. */
function storeOf(length: number) {
  const asked: (number | undefined)[] = [];
  const driver: StoreDriver = {
    ...memoryAdapter(),
    getItemRaw: async (_: string, { maxBytes }: StoreReadOptions) => {
      asked.push(maxBytes);
      return new Uint8Array(length);
    },
  };
  return { store: createByteStore(driver, "p"), asked };
}

describe.each(kinds)("%s", (_, key, maxBytes) => {
  test("as large as its bound is read", async () => {
    const { store, asked } = storeOf(maxBytes);
    expect((await store.read(key))?.length).toBe(maxBytes);
    expect(asked).toEqual([maxBytes]);
  });

  test("beyond its bound is a miss", async () => {
    expect(await storeOf(maxBytes + 1).store.read(key)).toBeUndefined();
  });
});

test("of a chunk whose length is known no more is asked for than that, and what an encoding may add", async () => {
  const { store, asked } = storeOf(10);
  await readChunk(placeOf(store), "ab".repeat(32), 1000);
  expect(asked).toEqual([1000 + bounds.chunkEncodingBytes]);
});

test("a driver that keeps texts is held to the same bounds", async () => {
  const { getItemRaw: _, setItemRaw: __, capabilities: ___, ...plain } = memoryAdapter();
  const write = (bytes: number) => plain.setItem?.(`p:${useKey("a")}`, toBase64(new Uint8Array(bytes)), {});
  const store = createByteStore(plain, "p");
  await write(bounds.recordBytes);
  expect((await store.read(useKey("a")))?.length).toBe(bounds.recordBytes);
  await write(bounds.recordBytes + 1);
  expect(await store.read(useKey("a"))).toBeUndefined();
});

test("a manifest that nobody could read again is not written", async () => {
  const store = createByteStore(memoryAdapter(), "p");
  const chunks = Array<string>(1_010_000).fill("a".repeat(64));
  await expect(writeManifest(store, "pi~1~ab", { chunks } as unknown as Manifest)).rejects.toMatchObject({
    code: "STORE",
    message: expect.stringContaining("larger chunks"),
  });
  expect(await store.list("")).toEqual([]);
});
