/** The checks that a device type passes before it goes into a URL, a key or a message. */
import { InvalidArgumentError } from "./errors.ts";

// What balena's slugs look like; the length keeps manifest ids within file name limits.
const slug = /^[a-z0-9](?:[a-z0-9_.-]{0,62}[a-z0-9])?$/;
// Aliases may also have capitals and plus signs: `ZE250`, `odroid-u3+`.
const name = /^[A-Za-z0-9](?:[A-Za-z0-9_.+-]{0,62}[A-Za-z0-9+])?$/;

/**
 * Makes sure that a value looks like a device type's slug, as an API names it: 1 to 64 of `a-z 0-9 _ . -`, a letter or digit
 * at both ends, no `..`.
 *
 * @throws {@link InvalidArgumentError} (`INVALID_ARGUMENT`) for anything else.
 *
 * @example
 * ```ts
 * assertDeviceType("raspberrypi4-64"); // fine
 * assertDeviceType("../raspberrypi4-64"); // throws
 * ```
 */
export function assertDeviceType(value: unknown): asserts value is string {
  if (isDeviceType(value)) return;
  throw new InvalidArgumentError(
    `${show(value)} is no device type: expected a slug such as "raspberrypi4-64" (1 to 64 of a-z 0-9 _ . -)`,
  );
}

/**
 * Makes sure that a value looks like a slug or an alias, as a user types it: 1 to 64 of `A-Z a-z 0-9 _ . + -`, a letter or digit at the
 * start, no `..`. Case counts.
 *
 * @throws {@link InvalidArgumentError} (`INVALID_ARGUMENT`) for anything else.
 *
 * @example
 * ```ts
 * assertDeviceTypeName("odroid-u3+"); // fine
 * ```
 */
export function assertDeviceTypeName(value: unknown): asserts value is string {
  if (typeof value === "string" && name.test(value) && !value.includes("..")) return;
  throw new InvalidArgumentError(
    `${show(value)} is no device type: expected a slug or alias such as "raspberrypi4-64" (1 to 64 of A-Z a-z 0-9 _ . + -)`,
  );
}

/** The same as a question. */
export function isDeviceType(value: unknown): value is string {
  return typeof value === "string" && slug.test(value) && !value.includes("..");
}

/** JSON quotes control characters, so that a hostile value can't forge a log line; the cut keeps it short. */
function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 64)) : `A value of type ${typeof value}`;
}
