/** Copies foreign errors without what must not be printed: SDK and `fetch` errors drag tokens along. */

const maxMessageLength = 500;
const maxDepth = 4;

/**
 * A copy of an error that holds its name, message, stack, code and causes and nothing else: above all not the request
 * with its Authorization header, nor the token that the SDK puts on its token errors.
 *
 * @param token - Blotted out wherever it stands in a message, as is anything after `Bearer`.
 *
 * @example
 * ```ts
 * throw new UpstreamError("…", {}, { cause: withoutSecrets(error, token) });
 * ```
 */
export function withoutSecrets(error: unknown, token?: string, depth = 0): Error | undefined {
  if (error === undefined || error === null || depth === maxDepth) return undefined;
  if (!(error instanceof Error)) return new Error(blot(String(error), token));
  const cause = withoutSecrets(error.cause, token, depth + 1);
  // Blotted before it is cut, lest half a token stay; and cut, for whole error pages come as messages.
  const message = blot(error.message, token).slice(0, maxMessageLength);
  const copy = new Error(message, cause === undefined ? {} : { cause });
  copy.name = error.name;
  copy.stack = `${error.name}: ${message}\n${frames(error)}`;
  return Object.assign(copy, codes(error));
}

/** The stack without its head, which repeats the message. */
function frames(error: Error): string {
  return (error.stack ?? "")
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .join("\n");
}

/** `code` as in ECONNREFUSED, `statusCode` as the SDK names it. */
function codes(error: Error): { code?: string; statusCode?: number } {
  const { code, statusCode } = error as Error & { code?: unknown; statusCode?: unknown };
  return {
    ...(typeof code === "string" && { code }),
    ...(typeof statusCode === "number" && { statusCode }),
  };
}

function blot(text: string, token: string | undefined): string {
  const known = token ? text.replaceAll(token, "[secret]") : text;
  return known.replace(/\bBearer\s+\S+/gi, "Bearer [secret]");
}
