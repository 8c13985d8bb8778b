/** What the cases of the store contract share: their host, and ways to make and compare values. */
import type { StoreDriver } from "../../src/core/types.ts";

/** What a test runner brings along. */
export interface StoreContractHost {
  /** Registers a test. */
  test(name: string, run: () => Promise<void>): void;
  /** Registers a test that can't be run, and why. */
  skip(name: string, reason: string): void;
  /** Fails the test unless both are deeply equal. Is given strings, numbers, booleans, `null` and short arrays of them. */
  equal(actual: unknown, expected: unknown, message: string): void;
  /** Makes an adapter over an empty store, anew for every test. */
  create(): StoreDriver | Promise<StoreDriver>;
}

/** An adapter with the parts that a `Driver` may leave out and a store may not. */
export type Store = StoreDriver & Required<Pick<StoreDriver, "getItemRaw" | "setItemRaw" | "removeItem">>;

/** One thing that a store must do. */
export interface Case {
  name: string;
  run(store: Store, host: StoreContractHost): Promise<void>;
  /** Why the case does not apply to a store. */
  skip?(store: Store): string | undefined;
}

/** Why listing can't be tested. */
export function incompleteListing(store: Store): string | undefined {
  return store.capabilities.completeListing ? undefined : "does not claim a complete listing";
}

/** So many bytes of one value. */
export function filled(size: number, byte: number): Uint8Array {
  return new Uint8Array(size).fill(byte);
}

/** Bytes without a short period, so that a shifted, repeated or re-coded piece shows. */
export function patternOf(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 7 + (index >> 8) * 13) & 0xff);
}

/** Says a value in a few words: comparing megabytes item by item takes test runners seconds. */
export function describe(value: unknown): string {
  if (!(value instanceof Uint8Array)) return `no bytes but ${value === null ? "null" : typeof value}`;
  if (value.every((byte) => byte === value[0])) return `${value.length} x ${value[0]}`;
  // FNV-1a.
  const digest = value.reduce((sum, byte) => Math.imul(sum ^ byte, 16_777_619), 2_166_136_261);
  return `${value.length} bytes with digest ${digest}`;
}

/** A value as text. */
export function textOf(value: unknown): string | null {
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : null;
}

/** The keys under a prefix, sorted. */
export async function listed(store: Store, prefix: string): Promise<string[]> {
  return [...(await store.getKeys(prefix, {}))].sort();
}

/** Whether two lists are equal, without a runner's long report of where not. */
export function sameList(left: string[], right: string[]): boolean {
  return left.length === right.length && left.every((item, index) => item === right[index]);
}

/** In batches: a real server's client need not bear a thousand calls at once. */
export async function eachOf(keys: string[], run: (key: string) => unknown): Promise<void> {
  for (let start = 0; start < keys.length; start += 50)
    await Promise.all(keys.slice(start, start + 50).map(run));
}

/** The keys that pass the test. */
export async function filterAsync(
  keys: string[],
  test: (key: string) => Promise<boolean>,
): Promise<string[]> {
  const kept = await Promise.all(keys.map(test));
  return keys.filter((_, index) => kept[index]);
}

/** Whether a write throws or rejects. */
export async function refuses(write: () => unknown): Promise<boolean> {
  try {
    await write();
    return false;
  } catch {
    return true;
  }
}
