// A store whose process can be killed at any moment: from then on nothing it does reaches the store, as with a process that is gone.
import type { StoreDriver } from "../../src/core/index.ts";

/** A driver, and its end. */
export interface MortalDriver {
  readonly driver: StoreDriver;
  kill(): void;
}

/** Wraps a store. */
export function mortalDriver(inner: StoreDriver): MortalDriver {
  let isDead = false;
  const alive =
    <A extends unknown[], R>(call: ((...args: A) => R) | undefined) =>
    async (...args: A): Promise<Awaited<R>> => {
      if (isDead) throw new Error("The process is dead");
      return (await call?.(...args)) as Awaited<R>;
    };
  return {
    kill() {
      isDead = true;
    },
    driver: {
      ...inner,
      getItemRaw: alive(inner.getItemRaw),
      setItemRaw: alive(inner.setItemRaw),
      removeItem: alive(inner.removeItem),
      getKeys: alive(inner.getKeys),
      createIfAbsent: alive(inner.createIfAbsent),
    } as StoreDriver,
  };
}
