/** Checks the options of `get` and `prefetch`, before anything is requested or read. */
import { isCount } from "../checks.ts";
import { InvalidArgumentError } from "../errors.ts";
import { normalizeVariant } from "../identity.ts";
import type { Span } from "../span.ts";
import type { CacheMode, GetOptions, ImageVariant } from "../types.ts";

/** The options, with defaults filled in. */
export interface CheckedGetOptions {
  readonly variant: ImageVariant;
  readonly cache: CacheMode;
  readonly span: Span;
  readonly onProgress: GetOptions["onProgress"];
  readonly waitUntil: GetOptions["waitUntil"];
  readonly edit: GetOptions["edit"];
}

const cacheModes: readonly CacheMode[] = [
  "default",
  "no-cache",
  "reload",
  "no-store",
  "force-cache",
  "only-if-cached",
];

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option and what it takes. */
export function checkedGetOptions(options: GetOptions): CheckedGetOptions {
  const variant = normalizeVariant(options);
  const { cache = "default", onProgress, waitUntil, edit } = options;
  if (!cacheModes.includes(cache))
    throw new InvalidArgumentError(`"cache" must be one of ${cacheModes.join(", ")}`);
  for (const [name, value] of Object.entries({ onProgress, waitUntil, edit })) {
    if (value !== undefined && typeof value !== "function")
      throw new InvalidArgumentError(`"${name}" must be a function`);
  }
  return {
    variant,
    cache,
    span: checkedSpan(options.range),
    onProgress,
    waitUntil,
    edit,
  };
}

function checkedSpan(range: GetOptions["range"]): Span {
  if (range === undefined) return { start: 0, end: Number.POSITIVE_INFINITY };
  const { start, end } = range ?? {};
  if (!isCount(start)) throw new InvalidArgumentError('"range.start" must be a whole number from 0');
  if (end !== undefined && (!isCount(end) || end <= start)) {
    throw new InvalidArgumentError(
      `"range.end" must be a whole number above "range.start" (${start}); it is exclusive`,
    );
  }
  return { start, end: end ?? Number.POSITIVE_INFINITY };
}
