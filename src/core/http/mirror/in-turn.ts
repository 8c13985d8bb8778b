/** Limits how many of something are done at a time. The others wait for their turn. */

/** Runs work as soon as fewer than so many others are being done. */
export function createTurns(places: number): <T>(run: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let taken = 0;
  return async (run) => {
    if (taken < places) taken += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve)); // takes over the place of one that is done
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else taken -= 1;
    }
  };
}
