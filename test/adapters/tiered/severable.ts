/** A store whose line can be cut, and mended. */
import type { StoreDriver } from "../../../src/core/types.ts";

/** While the line is cut, each call rejects as if nobody listened. */
export function severable(store: StoreDriver) {
  let isCut = false;
  const calls: string[] = [];
  const guarded = new Proxy(store, {
    get(target, name: keyof StoreDriver) {
      const value = target[name];
      if (typeof value !== "function" || name === "dispose") return value;
      return async (...args: unknown[]) => {
        calls.push(`${name} ${String(args[0])}`);
        if (isCut) throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  return {
    store: guarded,
    /** What was asked, whether or not it was answered. */
    calls,
    sever() {
      isCut = true;
    },
    mend() {
      isCut = false;
    },
  };
}
