/** Bytes in and out of drivers that misbehave: one kind of error, nothing that is no bytes, no key outside the prefix. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { createByteStore } from "../../../src/core/store/byte-store.ts";
import { rejection } from "../../support/collect.ts";
import { faultyDriver, type StoreFault } from "../../support/faulty-driver.ts";

const bytes = Uint8Array.of(1, 2, 3);
const batchStore = (driver: StoreDriver, removeItems: StoreDriver["removeItems"]) =>
  createByteStore({ ...driver, ...(removeItems && { removeItems }) }, "p");
const storeWith = (...faults: StoreFault[]) => createByteStore(faultyDriver(memoryAdapter(), ...faults), "p");
const calls = (store: ReturnType<typeof createByteStore>) => ({
  read: () => store.read("k"),
  write: () => store.write("k", bytes),
  remove: () => store.remove("k"),
  list: () => store.list("f:"),
});
const operations = [
  ["read", "getItemRaw"],
  ["write", "setItemRaw"],
  ["remove", "removeItem"],
  ["list", "getKeys"],
] as const;

describe("a fault of the driver", () => {
  test.each(operations)("in %s is STORE, with its cause", async (name, operation) => {
    const failure = await rejection(calls(storeWith({ operation, does: "throw" }))[name]());
    expect(failure).toMatchObject({
      code: "STORE",
      message: expect.stringMatching(new RegExp(`${name}.*EIO`)),
      cause: expect.objectContaining({ code: "EIO" }),
    });
  });

  test.each(["error", "string"] as const)("that comes back as %s is no value", async (does) => {
    const store = storeWith({ operation: "getItemRaw", does });
    await store.write("k", bytes);
    expect(await store.read("k")).toBeUndefined();
  });

  test.each([
    ["write", "setItemRaw"],
    ["remove", "removeItem"],
  ] as const)("that comes back from %s is a fault", async (name, operation) => {
    const failure = await rejection(calls(storeWith({ operation, does: "error" }))[name]());
    expect(failure).toMatchObject({ code: "STORE", message: expect.stringContaining("ENOTDIR") });
  });

  test.each(["error", "string", "nothing"] as const)("a listing that is %s lists nothing", async (does) => {
    expect(await storeWith({ operation: "getKeys", does }).list("f:")).toEqual([]);
  });
});

describe("removeMany", () => {
  const keys = Array.from({ length: 1_500 }, (_, index) => `f:${index}`);
  const filled = async () => {
    const driver = memoryAdapter();
    for (const key of [...keys, "other"]) await driver.setItemRaw?.(`p:${key}`, bytes, {});
    return driver;
  };

  test("deletes one by one where a driver has no batches", async () => {
    const driver = await filled();
    await createByteStore(driver, "p").removeMany(keys);
    expect(await driver.getKeys("", {})).toEqual(["p:other"]);
  });

  test("tells which key of a batch failed, and why, after the whole batch was tried", async () => {
    const driver = await filled();
    const removeItems = async (batch: readonly string[]) => {
      const stuck = batch.filter((key) => /7$/.test(key));
      for (const key of batch) if (!stuck.includes(key)) await driver.removeItem?.(key, {});
      return stuck.map((key) => ({ key, cause: Object.assign(new Error("EACCES: no"), { code: "EACCES" }) }));
    };
    expect(await rejection(batchStore(driver, removeItems).removeMany(keys))).toMatchObject({
      code: "STORE",
      message: "The store failed to remove 100 of 1000 values, f:7 among them: EACCES: no",
      cause: { code: "EACCES" },
    });
    expect(await driver.getKeys("p:f:", {})).toHaveLength(100 + 500);
  });

  test("of a batch that fails as a whole is STORE, with its cause", async () => {
    const removeItems = () => Promise.reject(Object.assign(new Error("EIO: gone"), { code: "EIO" }));
    const failure = await rejection(batchStore(memoryAdapter(), removeItems).removeMany(keys));
    expect(failure).toMatchObject({
      code: "STORE",
      message: "The store failed to remove: EIO: gone",
      cause: { code: "EIO" },
    });
  });

  test("does not call a method of that name of a plain driver", async () => {
    const { capabilities: _, ...plain } = await filled();
    const removeItems = () => Promise.reject(new Error("something else"));
    await createByteStore({ ...plain, removeItems } as typeof plain, "p").removeMany(keys);
    expect(await plain.getKeys("", {})).toEqual(["p:other"]);
  });
});

describe("a driver that hangs", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test.each(operations)("in %s fails after a minute", async (name, operation) => {
    const failing = rejection(calls(storeWith({ operation, does: "hang" }))[name]());
    await vi.advanceTimersByTimeAsync(59_999);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await failing).toMatchObject({ code: "STORE", message: expect.stringContaining("60000 ms") });
  });

  test("is not waited for longer because a large value was under way as the call began", async () => {
    const large = `chunks:aa:${"a".repeat(64)}`;
    const answer = (afterMs: number) =>
      new Promise<Uint8Array>((resolve) => setTimeout(() => resolve(new Uint8Array(64 * 1024)), afterMs));
    const delaysMs = [1_000, 10];
    const driver = {
      ...memoryAdapter(),
      getItemRaw: (key: string) =>
        key.includes(":chunks:") ? answer(delaysMs.shift()!) : new Promise<null>(() => undefined),
    };
    const store = createByteStore(driver, "a", { storeTimeoutMs: 5_000 }).asked("briefly");
    const first = store.read(`v1:${large}`);
    await vi.advanceTimersByTimeAsync(1_000); // 64 bytes a millisecond were measured
    await first;
    const second = store.read(`v1:${large}`, 4 * 1024 * 1024); // would take a minute if it were as large
    const failing = rejection(store.read("v1:images:x"));
    await vi.advanceTimersByTimeAsync(10);
    await second;
    await vi.advanceTimersByTimeAsync(4_990);
    expect(vi.getTimerCount()).toBe(0);
    expect(await failing).toMatchObject({ code: "STORE", message: expect.stringContaining("5000 ms") });
  });

  test("is not waited for longer because small values came before, each as slow as the way is long", async () => {
    const driver = {
      ...memoryAdapter(),
      getItemRaw: (key: string) =>
        key.includes(":chunks:")
          ? new Promise<null>(() => undefined)
          : new Promise((resolve) => setTimeout(() => resolve(new Uint8Array(200)), 40)),
    };
    const store = createByteStore(driver, "a", { storeTimeoutMs: 5_000 }).asked("briefly");
    for (let record = 0; record < 3; record++) {
      const reading = store.read(`v1:ledger:news:${record}`);
      await vi.advanceTimersByTimeAsync(40);
      await reading;
    }
    const failing = rejection(store.read(`v1:chunks:aa:${"a".repeat(64)}`, 4 * 1024 * 1024));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(vi.getTimerCount()).toBe(0);
    expect(await failing).toMatchObject({ code: "STORE", message: expect.stringContaining("5000 ms") });
  });

  test("one that does not leaves no timer behind", async () => {
    const store = storeWith();
    for (const [name] of operations) await calls(store)[name]();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("keys", () => {
  test("are under the prefix, and come back without it", async () => {
    const driver = memoryAdapter();
    const store = createByteStore(driver, "a:b");
    await store.write("v1:images:x", bytes);
    expect(await driver.getKeys("", {})).toEqual(["a:b:v1:images:x"]);
    expect(await store.list("v1:images:")).toEqual(["v1:images:x"]);
    expect(await store.list("")).toEqual(["v1:images:x"]);
  });

  test("that a driver lists though nobody asked for them are left out", async () => {
    const strange = [
      "p:f:1",
      "p:f:2",
      "p:g:1",
      "pf:f:1",
      "x",
      "",
      "P:f:1",
      7,
      null,
      undefined,
      "p/f/3",
      "p\\f\\4",
    ];
    const driver = { ...memoryAdapter(), getKeys: async () => strange as string[] };
    expect(await createByteStore(driver, "p").list("f:")).toEqual(["f:1", "f:2", "f:3", "f:4"]);
  });
});

describe("buffers", () => {
  // Keeps what it is given and hands out what it keeps, as unstorage's memory driver does.
  const careless = () => {
    const values = new Map<string, unknown>();
    return {
      hasItem: () => false,
      getItem: () => null,
      getItemRaw: (key: string) => values.get(key) ?? null,
      setItemRaw: (key: string, value: unknown) => void values.set(key, value),
      removeItem: () => {},
      getKeys: () => [],
    };
  };

  test("go in and come out as copies if a driver does not promise it", async () => {
    const store = createByteStore(careless(), "p");
    const given = Uint8Array.of(1, 2, 3);
    await store.write("k", given);
    given.fill(9);
    (await store.read("k"))?.fill(8);
    expect(await store.read("k")).toEqual(bytes);
  });

  test.each<[string, unknown, Uint8Array | undefined]>([
    ["an ArrayBuffer", Uint8Array.of(1, 2).buffer, Uint8Array.of(1, 2)],
    ["a Buffer", Buffer.from([1, 2]), Uint8Array.of(1, 2)],
    ["a view of a larger buffer", new Uint8Array([0, 1, 2, 3]).subarray(1, 3), Uint8Array.of(1, 2)],
    ["a text", "abc", undefined],
    ["an object", { 0: 1 }, undefined],
    ["a list", [1, 2], undefined],
    ["a number", 5, undefined],
    ["undefined", undefined, undefined],
  ])("%s comes out as bytes, or as nothing", async (_, value, expected) => {
    const driver = careless();
    driver.setItemRaw("p:k", value);
    const read = await createByteStore(driver, "p").read("k");
    expect(read && new Uint8Array(read)).toEqual(expected);
  });
});
