/** Copies ioredis's errors without what must not be printed: they carry the failed command, be it AUTH or a chunk. */

/**
 * A copy that holds the error's name, message and code. ioredis's own errors about the connection say that it gave up and
 * not why: `connectionError`, the last one that it told its listeners, says it.
 */
export function redisFailure(error: unknown, secrets: readonly string[], connectionError?: Error): Error {
  const failure = copyOf(error, secrets);
  if (!/max retries per request|Connection is closed|Command timed out/.test(failure.message)) return failure;
  const cause = connectionError && copyOf(connectionError, secrets);
  const isLate = failure.message === "Command timed out";
  const reason = cause?.message ?? (isLate ? "the time is up" : "the connection was lost");
  return new Error(`No answer from Redis: ${reason}`, { cause: cause ?? failure });
}

function copyOf(error: unknown, secrets: readonly string[]): Error {
  const { name, message, code } = (error instanceof Error ? error : new Error(String(error))) as Error & {
    code?: unknown;
  };
  const blotted = secrets.reduce((text, secret) => text.replaceAll(secret, "[secret]"), message);
  return Object.assign(new Error(blotted), { name, ...(typeof code === "string" && { code }) });
}
