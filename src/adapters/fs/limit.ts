/** Bounds how many tasks run at once, so that a busy store never runs out of file descriptors (EMFILE). */

/** Runs a task as soon as there is room, first come, first served. */
export type Limit = <T>(task: () => Promise<T>) => Promise<T>;

/** Makes a {@link Limit} with room for so many tasks. */
export function createLimit(maxRunning: number): Limit {
  const waiting: (() => void)[] = [];
  let running = 0;

  function enter(): Promise<void> | undefined {
    if (running < maxRunning) {
      running += 1;
      return undefined;
    }
    return new Promise((resolve) => waiting.push(resolve));
  }

  function leave(): void {
    // The place goes to the next one directly, so that nobody can slip in before it wakes.
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }

  return async (task) => {
    await enter();
    try {
      return await task();
    } finally {
      leave();
    }
  };
}
