// A store's driver misbehaves while it is used.
import type { Random } from "../../soak/random.ts";
import type { FaultyOperation, StoreFault } from "../../support/faulty-driver.ts";

/** Draws a fault and the words for it. */
export function drawDriverFault(random: Random): { readonly says: string; readonly fault: StoreFault } {
  const operation = random.pick<FaultyOperation>([
    ...([
      "getItemRaw",
      "getItemRaw",
      "setItemRaw",
      "setItemRaw",
      "removeItem",
      "getKeys",
      "createIfAbsent",
    ] as const),
  ]);
  const does = random.pick<Exclude<StoreFault["does"], Promise<unknown>>>(
    operation === "getItemRaw" || operation === "setItemRaw"
      ? ["throw", "error", "string", "short", "flip", "nothing", "hang"]
      : ["throw", "error", "hang"],
  );
  const key = random.pick([undefined, /:images:/, /:chunks:/, /:leases:/, /:partials:/, /:catalog:/]);
  const [at, times] = [random.int(1, 4), random.pick([1, 2, Number.POSITIVE_INFINITY])];
  const calls = `${times === Number.POSITIVE_INFINITY ? "from then on" : `${times} in all`}`;
  return {
    says: `driver: ${operation}${key ? ` of ${key.source}` : ""} no. ${at}, ${calls}: ${does}`,
    fault: { operation, does, at, times, ...(key && { key }) },
  };
}
