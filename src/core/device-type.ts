/** Checks a device type before it goes into a URL, a key or a message. */
import { InvalidArgumentError } from "./errors.ts";

// The form of balena's slugs. The length keeps manifest ids within the limits of file names.
const slug = /^[a-z0-9](?:[a-z0-9_.-]{0,62}[a-z0-9])?$/;
// Aliases may also have capitals and plus signs: `ZE250`, `odroid-u3+`.
const name = /^[A-Za-z0-9](?:[A-Za-z0-9_.+-]{0,62}[A-Za-z0-9+])?$/;

/**
 * Checks that a value has the form of a device type's slug, as the API returns it: 1 to 64 of `a-z 0-9 _ . -`, with a letter or digit
 * at both ends and no `..`.
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
    `${show(value)} is not a device type: expected a slug such as "raspberrypi4-64" (1 to 64 of a-z 0-9 _ . -)`,
  );
}

/**
 * Checks that a value has the form of a slug or an alias, as a user types it: 1 to 64 of `A-Z a-z 0-9 _ . + -`, with a letter or digit at
 * the start and no `..`. Capital and small letters are different.
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
    `${show(value)} is not a device type: expected a slug or alias such as "raspberrypi4-64" (1 to 64 of A-Z a-z 0-9 _ . + -)`,
  );
}

/** Whether {@link assertDeviceType} accepts a value. */
export function isDeviceType(value: unknown): value is string {
  return typeof value === "string" && slug.test(value) && !value.includes("..");
}

/** JSON escapes control characters, so that a hostile value can't forge a line of a log. The cut keeps it short. */
function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 64)) : `A value of type ${typeof value}`;
}
