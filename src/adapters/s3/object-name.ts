/** Names of objects: the key itself behind the key prefix, as the R2 adapter names them, so that both can share a bucket. */
import { randomName } from "../../core/clock.ts";
import { InvalidArgumentError } from "../../core/errors.ts";

/**
 * Name of the object that holds a key's value.
 *
 * @throws {@link InvalidArgumentError} (`INVALID_ARGUMENT`) for a key that is empty, has a slash (unstorage makes them
 * colons) or half a character, or that URLs take for a step up.
 */
export function objectNameOf(keyPrefix: string, key: string): string {
  const name = keyPrefix + key;
  if (key.isWellFormed() && keyOfObject(keyPrefix, name) !== undefined) return name;
  throw new InvalidArgumentError(`S3 can't store a value under this key: ${JSON.stringify(key)}`);
}

/** The key that an object holds; `undefined` if we did not make the name. */
export function keyOfObject(keyPrefix: string, name: string): string | undefined {
  const key = name.slice(keyPrefix.length);
  const isOurs = name.startsWith(keyPrefix) && key !== "" && !key.includes("/") && !hasSteps(name);
  return isOurs ? key : undefined;
}

/** A name that no key has: an object there is never listed. */
export function scratchName(keyPrefix: string): string {
  return `${keyPrefix}scratch/${randomName()}`;
}

/** Whether a path has parts that URLs resolve: they would lead out of the bucket. */
export function hasSteps(path: string): boolean {
  return path.split("/").some((part) => part === "." || part === "..");
}

/** As a part of a URL, escaped as signatures want it (RFC 3986). */
export function escapeUrl(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Path of a URL: slashes stay. */
export function urlPathOf(name: string): string {
  return name.split("/").map(escapeUrl).join("/");
}
