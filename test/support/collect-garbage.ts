// Collects garbage on demand, finalizers included: for what must not be taken for garbage while somebody waits.
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { StoreDriver } from "../../src/core/index.ts";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

let collecting: Promise<void> | undefined;

/** Settles when what nobody refers to is gone, and those who wanted to know of it have been told. */
export function collectGarbage(): Promise<void> {
  // One collection is enough for all who wait at the same time.
  collecting ??= collect().finally(() => (collecting = undefined));
  return collecting;
}

async function collect(): Promise<void> {
  await turn(); // by then those who are about to wait do
  gc();
  await turn();
  await turn();
}

/** A store at whose calls garbage is collected while the caller waits: at each but the writes of chunks, of which the first are enough. */
export function collectingDriver(driver: StoreDriver): StoreDriver {
  let chunkWrites = 0;
  const afterCollecting =
    <A extends unknown[], R>(call: ((...args: A) => R) | undefined) =>
    async (...args: A): Promise<Awaited<R>> => {
      const isChunkWrite = call === driver.setItemRaw && String(args[0]).includes(":chunks:");
      if (!isChunkWrite || chunkWrites++ < 2) await collectGarbage();
      return (await call?.(...args)) as Awaited<R>;
    };
  return {
    ...driver,
    getItemRaw: afterCollecting(driver.getItemRaw),
    setItemRaw: afterCollecting(driver.setItemRaw),
    removeItem: afterCollecting(driver.removeItem),
    getKeys: afterCollecting(driver.getKeys),
    createIfAbsent: afterCollecting(driver.createIfAbsent),
  } as StoreDriver;
}
