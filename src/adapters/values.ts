/** What store adapters share: values and keys as unstorage's drivers take them, made plain. */
import { InvalidArgumentError } from "../core/errors.ts";

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
    throw new InvalidArgumentError(`A key must not hold half a character: ${JSON.stringify(key)}`);
  };
}

/** Checks the option of that name. */
export function checkedKeyPrefix(keyPrefix: unknown = ""): string {
  if (typeof keyPrefix === "string" && keyPrefix.isWellFormed()) return keyPrefix;
  throw new InvalidArgumentError('"keyPrefix" must be a text');
}

/** A database or bucket is seldom ours alone, so nothing clears all of it. */
export function assertNotEverything(prefix: string): void {
  if (prefix === "")
    throw new InvalidArgumentError('clear() needs a level here, or an adapter with a "keyPrefix"');
}
