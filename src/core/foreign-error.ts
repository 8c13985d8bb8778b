/**
 * Makes errors of others safe to print; nothing else does. `fetch`, clients and callers' functions put tokens, whole URLs and raw bytes of
 * answers into their errors: Bun's error has the URL as `path`, Node's HTTPParserError has the answer as `data`.
 */
import { isImageManagerError } from "./errors.ts";

const maxMessageCharacters = 500;
const maxReadCharacters = 8 * 1024;
const maxDepth = 4;
/** Shorter secrets are not removed: a password of one letter would remove that letter everywhere, and hide nothing. */
const leastSecretCharacters = 4;

/**
 * A copy of a foreign error: name, message, stack, code, HTTP status and causes, and nothing else. The library's own errors are made of
 * purged parts and come back as they are.
 *
 * @param secrets - Blotted out wherever they stand, if they have at least 4 characters. So is what follows `Bearer`, and the query and
 *   the credentials of every URL.
 *
 * @example
 * ```ts
 * throw new UpstreamError("…", {}, { cause: foreignError(cause, [token]) });
 * ```
 */
export function foreignError(error: unknown, secrets: readonly string[] = []): Error | undefined {
  return copyOf(error, secrets, 0);
}

/** What a foreign error says, purged: to be quoted in a message. */
export function foreignMessage(error: unknown, secrets: readonly string[] = []): string {
  return copyOf(error, secrets, 0)?.message || "no reason was given";
}

/** A text without secrets, and without queries and credentials of URLs. */
export function purged(text: string, secrets: readonly string[] = []): string {
  // Whole secrets go first: once the text is cut, or an address shortened, half of one might stay.
  const blotted = formsOf(secrets).reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);
  return blotted
    .slice(0, maxReadCharacters)
    .replace(/\b(Bearer|Basic) +[^\s"',]+/gi, "$1 [secret]")
    .replace(/\b([a-z][a-z0-9+.-]{1,15}:\/\/)[^\s"'<>/?#@]*@/gi, "$1[secret]@")
    .replace(/\?[^\s"'<>]*/g, (query) => (query.includes("=") ? "?[query]" : query));
}

function copyOf(error: unknown, secrets: readonly string[], depth: number): Error | undefined {
  if (error === undefined || error === null || depth === maxDepth) return undefined;
  if (isImageManagerError(error)) return error;
  if (!(error instanceof Error)) return new Error(shortened(printed(error), secrets));
  const message = shortened(printed(error.message), secrets);
  const cause = copyOf(error.cause, secrets, depth + 1);
  const copy = new Error(message, cause && { cause });
  const name = shortened(printed(error.name), secrets).slice(0, 64);
  copy.name = name;
  copy.stack = `${name}: ${message}\n${purged(framesOf(error), secrets)}`;
  return Object.assign(copy, codesOf(error));
}

const shortened = (text: string, secrets: readonly string[]) =>
  purged(text, secrets).slice(0, maxMessageCharacters);

/** The stack without its head, which repeats the message. */
function framesOf({ stack }: Error): string {
  return printed(stack ?? "")
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .join("\n");
}

/** `code` as in ECONNREFUSED; the status by either of its usual names. */
function codesOf(error: Error): { code?: string; status?: number; statusCode?: number } {
  const { code, status, statusCode } = error as { code?: unknown; status?: unknown; statusCode?: unknown };
  return {
    ...(typeof code === "string" && /^\w{1,64}$/.test(code) && { code }),
    ...(typeof status === "number" && { status }),
    ...(typeof statusCode === "number" && { statusCode }),
  };
}

/** A secret as it is, and as it stands in URLs and forms. */
function formsOf(secrets: readonly string[]): string[] {
  return secrets
    .filter((secret) => secret.length >= leastSecretCharacters)
    .flatMap((secret) => [secret, encoded(secret), encoded(secret).replaceAll("%20", "+")])
    .sort((a, b) => b.length - a.length);
}

function encoded(secret: string): string {
  try {
    return encodeURIComponent(secret);
  } catch {
    return secret; // a lone surrogate, which no URL can have
  }
}

function printed(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "something that can't be shown";
  }
}
