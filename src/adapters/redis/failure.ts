/** Copies ioredis's errors without their secrets. The originals contain the failed command, such as AUTH or a chunk. */
import { foreignError } from "../../core/foreign-error.ts";

/**
 * A copy that holds the error's name, message and code. ioredis's own errors about the connection say that it gave up and
 * not why: `connectionError`, the last one that it told its listeners, says it.
 */
export function redisFailure(error: unknown, secrets: readonly string[], connectionError?: Error): Error {
  const failure = foreignError(error ?? "nothing was said", secrets) as Error;
  if (!/max retries per request|Connection is closed|Command timed out/.test(failure.message)) return failure;
  const cause = foreignError(connectionError, secrets);
  const isLate = failure.message === "Command timed out";
  const reason = cause?.message ?? (isLate ? "the time is up" : "the connection was lost");
  return new Error(`No answer from Redis: ${reason}`, { cause: cause ?? failure });
}

/** Whether Redis refused a command with one of these codes, the first word of what it said. */
export function hasRedisCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && codes.includes(error.message.split(" ", 1)[0]!);
}
