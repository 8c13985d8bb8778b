/** Names of blobs: the key itself behind the key prefix, as the S3 adapter names objects. */
import { InvalidArgumentError } from "../../core/errors.ts";

/** Azure's limit. */
const maxCharacters = 1024;

/**
 * Name of the blob that holds a key's value.
 *
 * @throws {@link InvalidArgumentError} (`INVALID_ARGUMENT`) for a key that is empty, is too long, has a slash (unstorage makes them colons),
 * a backslash, a control character or half a character, ends with a dot, or is a step up in URLs.
 */
export function blobNameOf(keyPrefix: string, key: string): string {
  const name = keyPrefix + key;
  if (key.isWellFormed() && isKey(key) && name.length <= maxCharacters) return name;
  throw new InvalidArgumentError(`Azure can't store a value under this key: ${JSON.stringify(key)}`);
}

/** The key that a blob holds; `undefined` if we did not make the name. */
export function keyOfBlob(keyPrefix: string, name: string): string | undefined {
  const key = name.slice(keyPrefix.length);
  return name.startsWith(keyPrefix) && isKey(key) ? key : undefined;
}

/** Azure drops a dot at the end, takes a backslash for a slash, and can't list control characters. */
function isKey(key: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  return key !== "" && !/[/\\\u0000-\u001f\u007f\ufffe\uffff]|\.$/.test(key);
}
