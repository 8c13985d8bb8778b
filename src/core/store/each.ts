/** Runs a store call for each of many keys, some at a time: a listing may be long, a connection pool is not. */

const callsAtATime = 16;

/** The results in the order of the items. The first failure ends it. `atATime`: fewer where the values are large. */
export async function eachOf<T, R>(
  items: readonly T[],
  call: (item: T) => Promise<R>,
  atATime: number = callsAtATime,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const work = async () => {
    for (let index = next++; index < items.length; index = next++) results[index] = await call(items[index]!);
  };
  await Promise.all(Array.from({ length: Math.min(atATime, items.length) }, work));
  return results;
}
