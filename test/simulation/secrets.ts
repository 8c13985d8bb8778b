// Looks for planted secrets wherever something may be written or told.

/** All that an error says, with its causes. */
export function wordsOf(failure: unknown, depth = 0): string {
  if (!(failure instanceof Error) || depth > 8) return String(failure);
  const own = Object.getOwnPropertyNames(failure)
    .filter((name) => name !== "cause")
    .map((name) => String((failure as unknown as Record<string, unknown>)[name]));
  return [failure.message, ...own, wordsOf(failure.cause, depth + 1)].join("\n");
}
