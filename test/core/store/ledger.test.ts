// The ledger by itself: records are right or nothing, and neither races nor deaths make it forget what is stored.
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { createByteStore } from "../../../src/core/store/byte-store.ts";
import { bytesAt, contentOfChunks } from "../../../src/core/store/content.ts";
import { ledgerNewsKey } from "../../../src/core/store/keys.ts";
import { Ledger, mostNews } from "../../../src/core/store/ledger.ts";
import { decodeRecord, encodeRecord, type LedgerRecord } from "../../../src/core/store/ledger-record.ts";
import type { LedgerImage } from "../../../src/core/store/ledger-sum.ts";
import { dyingDriver } from "../../support/dying-driver.ts";

const digest = (number: number) => (number + 1).toString(16).padStart(8, "0").padEnd(64, "e");

/** An image with the chunks of these numbers. */
const image = (chunks: readonly number[], facts: Partial<LedgerImage> = {}): LedgerImage => ({
  stamp: 1,
  usedAt: 1,
  pinned: false,
  content: contentOfChunks(chunks.map((chunk) => [digest(chunk), 10])),
  ...facts,
});

const fail = (cause: unknown) => {
  throw cause;
};

const storeOn = (driver: StoreDriver) => createByteStore(driver, "p");

/** What a process sees that comes new. */
async function seen(driver: StoreDriver) {
  const { images, isComplete } = await new Ledger().read(storeOn(driver), fail);
  return { ids: [...images.keys()].sort(), isComplete };
}

describe("a record", () => {
  const key = ledgerNewsKey("name");
  const uneven = contentOfChunks([1, 2, 3].map((chunk) => [digest(chunk), 100 * chunk]));
  const record: LedgerRecord = {
    images: [
      { ...image([1, 2, 3]), id: "a~1~0", tag: "one" },
      { ...image([], { pinned: true, usedAt: 5 }), id: "b~1~0", tag: "two" },
      { ...image([], { content: uneven }), id: "c~1~0", tag: "three" },
    ],
    gone: ["four"],
  };

  test("is read as it was written", async () => {
    const read = await decodeRecord(key, await encodeRecord(key, record));
    expect(read).toEqual(record);
    const { content } = read!.images[2]!;
    expect([0, 1, 2].map((index) => bytesAt(content, index))).toEqual([100, 200, 300]);
  });

  test("that was moved, cut or changed by one bit is none", async () => {
    const bytes = await encodeRecord(key, record);
    expect(await decodeRecord(ledgerNewsKey("other"), bytes)).toBeUndefined();
    for (let length = 0; length < bytes.length; length += 7)
      expect(await decodeRecord(key, bytes.slice(0, length)), `${length}`).toBeUndefined();
    for (let bit = 0; bit < 8 * bytes.length; bit += 13) {
      const changed = Uint8Array.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(await decodeRecord(key, changed), `bit ${bit}`).toBeUndefined();
    }
  });

  test.each([
    ["an id that is a path", { ...record, images: [{ ...image([]), id: "../a", tag: "t" }] }],
    ["a time that is none", { ...record, images: [{ ...image([], { usedAt: -1 }), id: "a", tag: "t" }] }],
    ["a name that is none", { ...record, gone: [""] }],
  ])("with %s is none, whoever sealed it", async (_, hostile) => {
    expect(await decodeRecord(key, await encodeRecord(key, hostile as LedgerRecord))).toBeUndefined();
  });
});

describe("the sum of records", () => {
  test("is complete once somebody has written pages, and knows what came and went since", async () => {
    const driver = memoryAdapter();
    const [store, ledger] = [storeOn(driver), new Ledger()];
    await ledger.note(store, new Map([["a", image([1])]]));
    expect(await seen(driver)).toEqual({ ids: ["a"], isComplete: false });
    await ledger.replace(store, (await ledger.read(store, fail)).keys, new Map([["a", image([1])]]));
    await ledger.note(store, new Map([["b", image([2])]]));
    expect(await seen(driver)).toEqual({ ids: ["a", "b"], isComplete: true });
    await ledger.note(store, new Map(), ["a"]);
    expect(await seen(driver)).toEqual({ ids: ["b"], isComplete: true });
  });

  test("keeps an image that came back unknown to the one that evicts it, whatever their clocks say", async () => {
    const driver = memoryAdapter();
    const [store, evicting, committing] = [storeOn(driver), new Ledger(), new Ledger()];
    await evicting.note(store, new Map([["a", image([1], { stamp: 9000 })]]));
    await committing.note(store, new Map([["a", image([2], { stamp: 1 })]]));
    await evicting.note(store, new Map(), ["a"]);
    const { images } = await new Ledger().read(store, fail);
    expect(images.get("a")!.content).toEqual(image([2]).content);
  });

  test("of two entries of an image: the later one says what it is, and the chunks of both are needed", async () => {
    const driver = memoryAdapter();
    const store = storeOn(driver);
    await new Ledger().note(store, new Map([["a", image([1, 2], { stamp: 2, usedAt: 1, pinned: true })]]));
    await new Ledger().note(store, new Map([["a", image([2, 3], { stamp: 1, usedAt: 7 })]]));
    const { images } = await new Ledger().read(store, fail);
    expect(images.get("a")).toMatchObject({ pinned: true, usedAt: 7 });
    expect([...images.get("a")!.content.ids].sort()).toEqual([...image([1, 2, 3]).content.ids]);
  });

  test("is not complete with a record that is damaged, or without one of the pages", async () => {
    const driver = memoryAdapter();
    const [store, ledger] = [storeOn(driver), new Ledger()];
    await ledger.replace(store, [], new Map([["a", image([1])]]));
    const pages = await driver.getKeys("p:v1:ledger:", {});
    for (const page of pages) {
      const bytes = (await driver.getItemRaw?.(page, {})) as Uint8Array;
      await driver.removeItem?.(page, {});
      expect(await seen(driver), page).toMatchObject({ isComplete: false });
      await driver.setItemRaw?.(page, bytes, {});
    }
    expect(await seen(driver)).toMatchObject({ isComplete: true });
    await driver.setItemRaw?.("p:v1:ledger:news:x", new Uint8Array(50), {});
    expect(await seen(driver)).toMatchObject({ isComplete: false });
  });

  test("is not complete if the listing shows pages that were replaced while it was made", async () => {
    const driver = memoryAdapter();
    const [reading, adding, store] = [new Ledger(), new Ledger(), storeOn(driver)];
    await adding.replace(store, [], new Map());
    await reading.read(store, fail); // knows these pages by now
    await adding.note(store, new Map([["a", image([1])]]));
    const early = await driver.getKeys("p:v1:ledger:", {});
    const sum = await adding.read(store, fail);
    await adding.replace(store, sum.keys, sum.images);
    const torn: StoreDriver = {
      ...driver,
      getKeys: async () => early.filter((key) => !key.includes("news")),
    };
    expect(await reading.read(storeOn(torn), fail)).toMatchObject({ isComplete: false });
    expect((await reading.read(store, fail)).images.has("a")).toBe(true);
  });

  test("names every image at each death of the one that adds up, and of two that do it at once", async () => {
    for (let deathAt = 1, isAlive = false; !isAlive; deathAt++) {
      const driver = memoryAdapter();
      const [store, writer] = [storeOn(driver), new Ledger()];
      await writer.replace(store, [], new Map([["old", image([0])]]));
      for (let number = 0; number <= mostNews; number++)
        await writer.note(store, new Map([[`a${number}`, image([number + 1])]]));
      const dying = dyingDriver(driver, deathAt);
      const addUp = async (on: StoreDriver) => {
        const [ledger, its] = [new Ledger(), storeOn(on)];
        const sum = await ledger.read(its, fail);
        await ledger.replace(its, sum.keys, sum.images);
      };
      const ended = await Promise.allSettled([addUp(dying.driver), deathAt % 2 ? addUp(driver) : undefined]);
      isAlive = ended[0]!.status === "fulfilled";
      expect(await seen(driver), `${deathAt}`).toMatchObject({ isComplete: true });
      expect((await seen(driver)).ids).toHaveLength(mostNews + 2);
    }
  });

  test("a page has no more than the store takes", async () => {
    const plain = memoryAdapter();
    const driver = { ...plain, capabilities: { ...plain.capabilities, maxValueBytes: 256 * 1024 } };
    const many = Array.from({ length: 200 }, (_, number): [string, LedgerImage] => [
      `a${number}`,
      image(Array.from({ length: 2000 }, (_, chunk) => number * 2000 + chunk)),
    ]);
    await new Ledger().replace(storeOn(driver), [], new Map(many));
    const keys = await plain.getKeys("p:v1:ledger:", {});
    expect(keys.length).toBeGreaterThan(6);
    for (const key of keys) {
      const value = (await plain.getItemRaw?.(key, {})) as Uint8Array;
      expect(value.length).toBeLessThanOrEqual(256 * 1024);
    }
    expect((await seen(driver)).ids).toHaveLength(200);
  });
});
