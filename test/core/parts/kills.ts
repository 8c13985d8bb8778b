// Gets of an image in parts that are killed half-way, and what is left of them in the store.
import type { StoreDriver } from "../../../src/core/index.ts";
import type { BalenaApi } from "../../support/balena-api/index.ts";
import { collect } from "../../support/collect.ts";
import { dyingDriver } from "../../support/dying-driver.ts";
import { eventually } from "../../support/eventually.ts";
import { slug, version } from "../../support/shared-api.ts";
import { createTestManager, type TestManagerOptions } from "../../support/test-manager.ts";

/**
 * A `fetch` whose bodies of parts are `change`d, and which stands still for ever after so many bytes of parts in all. Bytes count when they
 * are read: so the length is not announced, for the last bytes of a known length are read ahead.
 */
export function standingStill(
  afterBytes: number,
  change: (piece: Uint8Array) => Uint8Array = (piece) => piece,
  upstream: typeof fetch = fetch,
) {
  const stopped = Promise.withResolvers<void>();
  let bytes = 0;
  const fetchParts: typeof fetch = async (input, init) => {
    const response = await upstream(input, init);
    if (!String(input).includes("/part-") || response.body === null) return response;
    const reader = response.body.getReader();
    const gate = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          if (bytes >= afterBytes) {
            stopped.resolve();
            await new Promise(() => undefined);
          }
          const { done, value } = await reader.read();
          if (done) return controller.close();
          const piece = change(value.subarray(0, afterBytes - bytes));
          bytes += piece.length;
          controller.enqueue(piece);
        },
        cancel: (reason) => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
    const headers = new Headers(response.headers);
    headers.delete("content-length");
    return new Response(gate, { status: response.status, headers });
  };
  return { fetch: fetchParts, stopped: stopped.promise };
}

/** A get whose process is gone once so many bytes of parts have come to it. */
export async function killedAfter(
  api: BalenaApi,
  storage: StoreDriver,
  bytes: number,
  options: TestManagerOptions = {},
  until: () => Promise<void> = async () => undefined,
): Promise<void> {
  const upstream = standingStill(bytes);
  const { driver, kill } = dyingDriver(storage);
  const { manager } = createTestManager(api, { ...options, storage: driver, fetch: upstream.fetch });
  const reading = manager.get(slug, version).then(collect);
  reading.catch(() => undefined);
  await upstream.stopped;
  await until();
  kill();
  await manager.close();
  await nothingOnItsWay(api);
}

/** What the server is still sending would count for the next get. */
export async function nothingOnItsWay(api: BalenaApi): Promise<void> {
  await eventually(() => {
    if (api.counters.openConnections > 0) throw new Error("Something is still on its way");
  });
}

/** Keys of compressed pieces. */
export async function wireKeys(storage: StoreDriver): Promise<string[]> {
  const keys = await storage.getKeys("balena-images:v1:partials:", {});
  return keys.filter((key) => key.includes(":wire:")).sort();
}
