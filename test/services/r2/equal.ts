// Deep equality of what the store contract compares: strings, numbers, booleans, null, and arrays of them.

/** Throws unless both are equal. */
export function equal(actual: unknown, expected: unknown, message: string): void {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== should) throw new Error(`${message}: ${is} should be ${should}`);
}
