/** Shares one inventory among simultaneous callers, because an inventory reads every manifest. */
import type { Inventory } from "./inventory.ts";

/**
 * Makes the way to it. A caller gets what was there at the time of its call or later. So no caller joins a look that has begun, and all who come while
 * it goes on share the next.
 */
export function shareInventory(look: () => Promise<Inventory>): () => Promise<Inventory> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<Inventory> | undefined;
  return () => {
    next ??= (async () => {
      await running.catch(() => undefined);
      const looking = look();
      running = looking;
      next = undefined;
      return looking;
    })();
    return next;
  };
}
