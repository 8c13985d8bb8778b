// Looks into a store behind a manager's back, and damages what is there.
import type { StoreDriver } from "../../src/core/index.ts";
import { spoilt } from "./faulty-driver.ts";

/** Keys of a kind (`images`, `chunks`, `catalog`, ...) under the default prefix. */
export async function keysOf(
  storage: StoreDriver,
  kind: string,
  prefix = "balena-images",
): Promise<string[]> {
  return (await storage.getKeys(`${prefix}:v1:${kind}:`, {})).sort();
}

/** A value's bytes. */
export async function read(storage: StoreDriver, key: string): Promise<Uint8Array> {
  return (await storage.getItemRaw?.(key, {})) as Uint8Array;
}

/** Puts bytes, or a text, under a key. */
export async function write(storage: StoreDriver, key: string, value: Uint8Array | string): Promise<void> {
  await storage.setItemRaw?.(key, typeof value === "string" ? new TextEncoder().encode(value) : value, {});
}

/** A JSON value. */
export async function readJson(storage: StoreDriver, key: string): Promise<Record<string, unknown>> {
  return JSON.parse(new TextDecoder().decode(await read(storage, key))) as Record<string, unknown>;
}

/** Keys of an image's stored chunks, in the order of the image; `undefined` for a hole. */
export async function chunkKeysOf(storage: StoreDriver, id: string): Promise<(string | undefined)[]> {
  const { chunks } = await readJson(storage, `balena-images:v1:images:${id}`);
  return (chunks as (string | null)[]).map(
    (digest) => digest?.replace(/^(..)(.*)$/, "balena-images:v1:chunks:$1:$1$2") ?? undefined,
  );
}

/** Ways in which a stored value goes bad. */
export type Damage = "flip" | "short" | "long" | "empty" | "missing" | "zeros";

/** Damages a value in place. */
export async function damage(storage: StoreDriver, key: string, how: Damage): Promise<void> {
  if (how === "missing") return void (await storage.removeItem?.(key, {}));
  const bytes = await read(storage, key);
  const damaged = {
    flip: () => spoilt("flip", bytes),
    short: () => spoilt("short", bytes),
    long: () => Buffer.concat([bytes, Uint8Array.of(0)]),
    empty: () => new Uint8Array(0),
    zeros: () => new Uint8Array(bytes.length),
  }[how]();
  await write(storage, key, new Uint8Array(damaged!));
}
