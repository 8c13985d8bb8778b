/** The memory store: the contract of every store, and its own cap. */
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { storeContract } from "../contract/store-contract.ts";
import { contractHost } from "../support/contract-host.ts";

describe("contract", async () => {
  await storeContract({
    ...contractHost,
    create: () => memoryAdapter(),
  });
});

describe("maxBytes", () => {
  const write = async (store: ReturnType<typeof memoryAdapter>, key: string, size: number) =>
    store.setItemRaw?.(key, new Uint8Array(size), {});

  test("refuses what would go beyond it, and keeps what was there", async () => {
    const store = memoryAdapter({ maxBytes: 100 });
    await write(store, "a", 60);
    await expect(write(store, "b", 41)).rejects.toMatchObject({ code: "ENOSPC" });
    await expect(write(store, "a", 101)).rejects.toMatchObject({ code: "ENOSPC" });
    await expect(store.createIfAbsent?.("b", new Uint8Array(41))).rejects.toMatchObject({ code: "ENOSPC" });
    expect(await store.getItemRaw?.("a", {})).toHaveLength(60);
    expect(await store.getKeys("", {})).toEqual(["a"]);
  });

  test("counts what is there: replaced and removed values make room", async () => {
    const store = memoryAdapter({ maxBytes: 100 });
    await write(store, "a", 100);
    await write(store, "a", 40);
    await write(store, "b", 60);
    await store.removeItem?.("a", {});
    await store.removeItem?.("a", {});
    await expect(write(store, "c", 41)).rejects.toMatchObject({ code: "ENOSPC" });
    await write(store, "c", 40);
    await store.clear?.("", {});
    await write(store, "d", 100);
  });

  test.each([-1, 0.5, Number.NaN, "1"])("%s is refused", (maxBytes) => {
    expect(() => memoryAdapter({ maxBytes: maxBytes as number })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });
});

test("copies a Node Buffer and an ArrayBuffer too", async () => {
  const store = memoryAdapter();
  const buffer = Buffer.from([1, 2, 3]);
  const arrayBuffer = new Uint8Array([4, 5]).buffer;
  await store.setItemRaw?.("buffer", buffer, {});
  await store.setItemRaw?.("array-buffer", arrayBuffer, {});
  buffer.fill(0);
  new Uint8Array(arrayBuffer).fill(0);
  expect(await store.getItemRaw?.("buffer", {})).toEqual(new Uint8Array([1, 2, 3]));
  expect(await store.getItemRaw?.("array-buffer", {})).toEqual(new Uint8Array([4, 5]));
  await expect(store.setItemRaw?.("number", 5, {})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});
