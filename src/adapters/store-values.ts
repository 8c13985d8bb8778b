/** What the store adapters share: conversions of unstorage's values, keys and listings, and checks of options. */
import { bounds } from "../core/bounds.ts";
import { eachOf } from "../core/each.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import type { FailedKey, StoreReadOptions } from "../core/types.ts";

/** The bytes of a value, not copied. */
export function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return new TextEncoder().encode(value);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw new InvalidArgumentError("A value must be a Uint8Array, another view, an ArrayBuffer or a string");
}

/** A value as the text that was written: a byte order mark belongs to it. */
export function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** What `clear` deletes: `p` clears `p:…` and spares a stranger named `p2`. */
export function prefixOfLevel(level: string): string {
  return level === "" || level.endsWith(":") ? level : `${level}:`;
}

/** Puts a prefix before keys. Half a surrogate pair has no bytes in UTF-8: two such keys would be one. */
export function keyPrefixer(keyPrefix: string): (key: string) => string {
  return (key) => {
    if (key.isWellFormed()) return keyPrefix + key;
    throw new InvalidArgumentError(`A key must not contain half a character: ${JSON.stringify(key)}`);
  };
}

/**
 * Whether a value of that many bytes is what was asked for: `false` if it is larger than a bound that was given.
 *
 * @throws `EFBIG` if no limit was given, and the value is larger than anybody can want: to say that it is missing would be wrong.
 */
export function withinBound(bytes: number, { maxBytes }: StoreReadOptions = {}): boolean {
  if (bytes <= (maxBytes ?? bounds.unboundedReadBytes)) return true;
  if (maxBytes !== undefined) return false;
  throw Object.assign(
    new Error(`EFBIG: a value of more than ${bounds.unboundedReadBytes} bytes is not read`),
    {
      code: "EFBIG",
    },
  );
}

/** Calls once for each key, so many at a time, and gives the keys whose call rejected: what `removeItems` resolves with. */
export async function failedKeys(
  keys: readonly string[],
  call: (key: string) => Promise<unknown>,
  atATime: number,
): Promise<FailedKey[]> {
  const failed: FailedKey[] = [];
  await eachOf(keys, (key) => call(key).catch((cause: unknown) => void failed.push({ key, cause })), atATime);
  return failed;
}

/** A page of a listing. */
export interface KeyPage {
  readonly keys: Iterable<string>;
  /** Where the next page begins; `undefined` after the last one. */
  readonly next: string | undefined;
}

/**
 * All keys of a listing that comes in pages, each once. One that goes round in circles, never ends, or has other keys than were asked
 * for rejects: a caller that took it for a listing would delete what it lacks, or what belongs to others.
 *
 * @param prefix - What every key begins with.
 * @param pageAt - Gets a page: the first one for `undefined`, else the one at that cursor.
 */
export async function keysOfPages(
  prefix: string,
  pageAt: (cursor: string | undefined) => Promise<KeyPage>,
  {
    maxPages = bounds.listingPages,
    maxKeys = bounds.listedKeys,
  }: { maxPages?: number; maxKeys?: number } = {},
): Promise<string[]> {
  const keys = new Set<string>();
  let [cursor, seen]: (string | undefined)[] = [];
  for (let page = 1; page <= maxPages; page++) {
    const found = await pageAt(cursor);
    for (const key of found.keys) keys.add(checkedKey(key, prefix));
    if (keys.size > maxKeys) break;
    if (found.next === undefined) return [...keys];
    if (page > 1 && found.next === seen) throw malformedListing("goes round in circles");
    // One cursor is remembered for twice as many pages as the one before: in time, any circle comes round to it.
    if ((page & (page - 1)) === 0) seen = found.next;
    cursor = found.next;
  }
  throw malformedListing(`does not end within ${maxPages} pages and ${maxKeys} keys`);
}

function checkedKey(key: string, prefix: string): string {
  if (key.startsWith(prefix)) return key;
  throw malformedListing("has other keys than were asked for");
}

function malformedListing(what: string): Error {
  return Object.assign(new Error(`The store's listing ${what}`), { code: "MALFORMED_ANSWER" });
}

/** The options of an adapter. @throws {InvalidArgumentError} `INVALID_ARGUMENT` if they are no object. */
export function checkedObject<T extends object>(adapter: string, options: T): T {
  if (typeof options === "object" && options !== null) return options;
  throw new InvalidArgumentError(`The options of ${adapter} must be an object`);
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT`, with a message that quotes the option's name, and no value that may be secret. */
export function requireOption(holds: boolean, message: string): asserts holds {
  if (!holds) throw new InvalidArgumentError(message);
}

/** Checks an option that is a number. */
export function checkedInteger(
  name: string,
  value: unknown,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): number {
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`;
  const isFit = Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
  requireOption(isFit, `"${name}" must be a whole number ${range}`);
  return value as number;
}

/** Checks the option of that name. */
export function checkedKeyPrefix(keyPrefix: unknown = ""): string {
  requireOption(typeof keyPrefix === "string" && keyPrefix.isWellFormed(), '"keyPrefix" must be a text');
  return keyPrefix as string;
}

/** A database or bucket is seldom ours alone, so nothing clears all of it. */
export function assertNotEverything(prefix: string): void {
  requireOption(prefix !== "", 'clear() needs a level here, or an adapter with a "keyPrefix"');
}
