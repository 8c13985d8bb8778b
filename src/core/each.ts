/** Runs a store call for each of many keys, a few at a time. A listing may be long, but a connection pool is small. */

const callsAtATime = 16;

/**
 * The results in the order of the items. The first failure ends it, once the calls under way have settled: what is
 * done after it must not meet them. Set `atATime` lower if the values are large.
 */
export async function eachOf<T, R>(
  items: readonly T[],
  call: (item: T) => Promise<R>,
  atATime: number = callsAtATime,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  const failures: unknown[] = [];
  let next = 0;
  const work = async () => {
    while (next < items.length && failures.length === 0) {
      const index = next++;
      try {
        results[index] = await call(items[index]!);
      } catch (failure) {
        failures.push(failure);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atATime, items.length) }, work));
  if (failures.length > 0) throw failures[0];
  return results;
}
