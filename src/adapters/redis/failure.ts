/** Copies ioredis's errors without what must not be printed: they carry the failed command, be it AUTH or a chunk. */
import { isImageManagerError } from "../../core/errors.ts";

// A shorter password can't be kept out of messages: its letters stand everywhere, and to blot them would spell it.
const minSecretCharacters = 4;

/**
 * A copy that holds the error's name, message and code. ioredis's own errors about the connection say that it gave up and
 * not why: `connectionError`, the last one that it told its listeners, says it.
 */
export function redisFailure(error: unknown, secrets: readonly string[], connectionError?: Error): Error {
  if (isImageManagerError(error)) return error; // ours, and without secrets
  const failure = copyOf(error, secrets);
  if (!/max retries per request|Connection is closed|Command timed out/.test(failure.message)) return failure;
  const cause = connectionError && copyOf(connectionError, secrets);
  const isLate = failure.message === "Command timed out";
  const reason = cause?.message ?? (isLate ? "the time is up" : "the connection was lost");
  return new Error(`No answer from Redis: ${reason}`, { cause: cause ?? failure });
}

/** Whether Redis refused a command with one of these codes, the first word of what it said. */
export function hasRedisCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && codes.includes(error.message.split(" ", 1)[0]!);
}

function copyOf(error: unknown, secrets: readonly string[]): Error {
  const { name, message, code } = (error instanceof Error ? error : new Error(String(error))) as Error & {
    code?: unknown;
  };
  const blotted = secrets
    .filter((secret) => secret.length >= minSecretCharacters)
    .reduce((text, secret) => text.replaceAll(secret, "[secret]"), message);
  return Object.assign(new Error(blotted), { name, ...(typeof code === "string" && { code }) });
}
