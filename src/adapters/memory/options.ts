/** Checks the options of `memoryAdapter` and fills in the defaults. */
import { checkedInteger, checkedObject } from "../store-values.ts";

/** Options of {@link memoryAdapter}. */
export interface MemoryAdapterOptions {
  /** Most bytes that all values together may have: a whole number from 0. A write that exceeds it rejects with `code` `ENOSPC`. Default: no limit. */
  maxBytes?: number | undefined;
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option and its range. */
export function checkedOptions(options: MemoryAdapterOptions) {
  const { maxBytes } = checkedObject("memoryAdapter", options);
  if (maxBytes === undefined) return { maxBytes: Number.POSITIVE_INFINITY };
  return { maxBytes: checkedInteger("maxBytes", maxBytes, 0) };
}
