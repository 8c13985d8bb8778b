// The assertions that the contracts ask for, on web globals alone: the same ones judge on every runtime.

/** Fits `assert` of the source contract. */
export const assert = { equal, deepEqual, ok };

/** Throws unless both are the same value. */
export function equal(actual: unknown, expected: unknown, message = "the value"): void {
  if (!Object.is(actual, expected)) fail(actual, expected, message);
}

/** Throws unless both are of the same structure. */
export function deepEqual(actual: unknown, expected: unknown, message = "the value"): void {
  if (!isSame(actual, expected)) fail(actual, expected, message);
}

/** Throws unless the value is truthy. */
export function ok(value: unknown, message = "the value"): void {
  if (!value) fail(value, true, message);
}

/** Prints a value with all that hangs on it, non-enumerable parts too, as the most talkative log would. */
export function print(value: unknown, depth = 0): string {
  if (typeof value !== "object" || value === null || depth > 10) return String(value);
  const own = Reflect.ownKeys(value).map((key) => `${String(key)}: ${print(read(value, key), depth + 1)}`);
  const items = Symbol.iterator in value ? [...(value as Iterable<unknown>)] : [];
  return `${String(value)} { ${[...own, ...items.map((item) => print(item, depth + 1))].join(", ")} }`;
}

function isSame(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const [keys, others] = [Object.keys(left), Object.keys(right)];
  return keys.length === others.length && keys.every((key) => isSame(read(left, key), read(right, key)));
}

function read(of: object, key: PropertyKey): unknown {
  try {
    return Reflect.get(of, key);
  } catch {
    return "(unreadable)";
  }
}

function fail(actual: unknown, expected: unknown, message: string): never {
  throw new Error(`${message}: ${show(actual)} should be ${show(expected)}`);
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 1000);
}
