/** Tells file system errors apart. */

/** Whether an error is one of these, by its `code`. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

/** Turns an error of one of these codes into a value; others go on. */
export function valueOn<T>(value: T, ...codes: string[]): (error: unknown) => T {
  return (error) => {
    if (hasCode(error, ...codes)) return value;
    throw error;
  };
}

/** An error of our own, in the shape of the file system's. */
export function failureWith(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}
