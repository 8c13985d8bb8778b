// A store whose process dies: from then on nothing it does reaches the store any more, and nothing comes back.
import type { StoreDriver } from "../../src/core/index.ts";

/** A driver that dies, and how far it came. */
export interface DyingDriver {
  readonly driver: StoreDriver;
  /** Operations that reached the store. */
  operations(): number;
  /** The process dies now, if it is not dead yet. */
  kill(): void;
}

/**
 * Wraps a store. Its `deathAt`-th operation (from 1) and all after it reject without touching the store, as the writes of a
 * killed process do. Without `deathAt` it lives until `kill`.
 */
export function dyingDriver(inner: StoreDriver, deathAt = Number.POSITIVE_INFINITY): DyingDriver {
  const { removeItems: _, ...plain } = inner; // each deletion is an operation
  let operations = 0;
  let isDead = false;
  const alive =
    <A extends unknown[], R>(call: ((...args: A) => R) | undefined) =>
    async (...args: A): Promise<Awaited<R>> => {
      if (isDead || operations + 1 >= deathAt) throw new Error("The process is dead");
      operations += 1;
      return (await call?.(...args)) as Awaited<R>;
    };
  return {
    operations: () => operations,
    kill() {
      isDead = true;
    },
    driver: {
      ...plain,
      getItemRaw: alive(inner.getItemRaw),
      setItemRaw: alive(inner.setItemRaw),
      removeItem: alive(inner.removeItem),
      getKeys: alive(inner.getKeys),
      createIfAbsent: alive(inner.createIfAbsent),
    } as StoreDriver,
  };
}
