/** The functions of version 10 that judge a version by its text. */
import { InvalidVersionError } from "../../core/errors.ts";
import { isExactVersion } from "../../core/version/index.ts";

/**
 * Whether a version is one of an Extended Support Release line, whose majors are years from 2018 on. `false` for ranges, words and
 * anything that is no version.
 *
 * @example
 * ```ts
 * import { isESR } from "balena-image-manager/v10";
 *
 * console.log(isESR("2023.10.1"), isESR("6.1.0")); // true false
 * ```
 */
export function isESR(version: string): boolean {
  const [, major] = /^v?(\d+)\.\d+\.\d+/.exec(version) ?? [];
  return Number(major) >= 2018;
}

/**
 * Checks that a text is an exact balenaOS version.
 *
 * @throws `INVALID_VERSION` ("Invalid version number") for anything else, also for ranges and `latest`.
 *
 * @example
 * ```ts
 * import { validateVersion } from "balena-image-manager/v10";
 *
 * validateVersion("6.0.10+rev1");
 * ```
 */
export function validateVersion(version: string): void {
  if (!isExactVersion(version)) throw new InvalidVersionError(String(version), "Invalid version number");
}
