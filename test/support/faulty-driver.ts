// Any store with faults: at the N-th call of an operation it throws, hangs, waits, or gives back what it should not.
import type { StoreDriver } from "../../src/core/index.ts";

/** The operations that can be faulty. */
export type FaultyOperation = "getItemRaw" | "setItemRaw" | "removeItem" | "getKeys" | "createIfAbsent";

/** What goes wrong, and when. */
export interface StoreFault {
  readonly operation: FaultyOperation;
  /** Only calls with such a key count. Default: all. */
  readonly key?: RegExp;
  /** The first call that it strikes, counted from 1. Default 1. */
  readonly at?: number;
  /** Calls that it strikes from there on. Default: all. */
  readonly times?: number;
  /**
   * - `throw`: rejects with `EIO`, nothing done
   * - `hang`: never settles, nothing done
   * - `error`: fulfils with an Error object, nothing done, as some unstorage drivers do
   * - `string`: fulfils with a text
   * - `short`, `flip`: reads, and writes, one byte less or one bit wrong
   * - `nothing`: says that it is done, and has done nothing
   * - a promise: waits for it, then does what was asked
   */
  readonly does: "throw" | "hang" | "error" | "string" | "short" | "flip" | "nothing" | Promise<unknown>;
}

/** One call of the wrapped driver. */
export interface StoreCall {
  readonly operation: FaultyOperation;
  readonly key: string;
}

/** A driver with faults, which may be changed at any time, and a log of its calls. */
export type FaultyDriver = StoreDriver & { readonly faults: StoreFault[]; readonly calls: StoreCall[] };

type Call = (...args: unknown[]) => unknown;

/** Wraps a driver. */
export function faultyDriver(driver: StoreDriver, ...initial: StoreFault[]): FaultyDriver {
  const faults = [...initial];
  const calls: StoreCall[] = [];
  const seen = new Map<StoreFault, number>();

  const strikes = (fault: StoreFault, { operation, key }: StoreCall) => {
    if (fault.operation !== operation || !(fault.key ?? /(?:)/).test(key)) return false;
    const count = (seen.get(fault) ?? 0) + 1;
    seen.set(fault, count);
    const { at = 1, times = Number.POSITIVE_INFINITY } = fault;
    return count >= at && count < at + times;
  };

  const wrapped = (operation: FaultyOperation) => {
    const original = driver[operation]?.bind(driver) as Call | undefined;
    if (!original) return {};
    const faulty = async (...args: unknown[]) => {
      const call = { operation, key: String(args[0]) };
      calls.push(call);
      const struck = faults.filter((fault) => strikes(fault, call));
      return struck[0] ? misbehave(struck[0].does, operation, original, args) : original(...args);
    };
    return { [operation]: faulty };
  };

  const operations = ["getItemRaw", "setItemRaw", "removeItem", "getKeys", "createIfAbsent"] as const;
  const { removeItems: _, ...plain } = driver; // each deletion is a call, which can be faulty
  return Object.assign({ ...plain }, ...operations.map(wrapped), {
    faults,
    calls,
  }) as FaultyDriver;
}

async function misbehave(
  does: StoreFault["does"],
  operation: FaultyOperation,
  original: Call,
  args: unknown[],
) {
  if (typeof does === "object") return does.then(() => original(...args));
  if (does === "throw") throw Object.assign(new Error("EIO: the disk is broken"), { code: "EIO" });
  if (does === "hang") return new Promise(() => {});
  if (does === "error") return Object.assign(new Error("ENOTDIR: not a directory"), { code: "ENOTDIR" });
  if (does === "string") return "no bytes";
  if (does === "nothing") return undefined;
  if (operation === "setItemRaw") return original(args[0], spoilt(does, args[1] as Uint8Array), args[2]);
  return spoilt(does, (await original(...args)) as Uint8Array | null);
}

/** The bytes as a fault leaves them. */
export function spoilt(how: "short" | "flip", bytes: Uint8Array | null): Uint8Array | null {
  if (!bytes) return bytes;
  if (how === "short") return bytes.slice(0, -1);
  const flipped = new Uint8Array(bytes);
  const middle = flipped.length >> 1;
  flipped[middle] = flipped[middle]! ^ 1;
  return flipped;
}
