/**
 * A store in a Cloudflare R2 bucket. Each key is an object. It uses a Worker's binding.
 *
 * @module balena-image-manager/adapters/cloudflare-r2
 */
import type { StoreDriver, StoreReadOptions } from "../../core/types.ts";
import {
  assertNotEverything,
  bytesOf,
  keyPrefixer,
  prefixOfLevel,
  textOf,
  withinBound,
} from "../store-values.ts";
import type { R2BucketBinding } from "./bucket.ts";
import { listObjects } from "./list.ts";
import { checkedOptions, type R2AdapterOptions } from "./options.ts";
import { outwait } from "./retry.ts";

export type { R2AdapterOptions, R2BucketBinding };

// R2 deletes no more at once.
const deletionsAtOnce = 1000;

/**
 * Creates a store in an R2 bucket. Any number of Workers may share it. R2 is strongly consistent: a value can be read and listed as soon as
 * it is written.
 *
 * R2 accepts one write per second for each key. If R2 refuses a write for that reason, or is in trouble, the adapter tries again for about
 * 15 seconds. Other errors of the binding reject unchanged.
 *
 * @throws `INVALID_ARGUMENT` if an option has the wrong type.
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
 * import { type R2BucketBinding, r2Adapter } from "balena-image-manager/adapters/cloudflare-r2";
 *
 * export default {
 *   async fetch(request: Request, env: { IMAGES: R2BucketBinding }) {
 *     const images = createImageManager({ source: balenaApiSource(), storage: r2Adapter({ binding: env.IMAGES }) });
 *     return new Response(await images.get("raspberrypi4-64", "6.1.0"));
 *   },
 * };
 * ```
 */
export function r2Adapter(options: R2AdapterOptions): StoreDriver {
  const { bucket, keyPrefix } = checkedOptions(options);
  const keyOf = keyPrefixer(keyPrefix);

  async function read(key: string, options: StoreReadOptions = {}): Promise<Uint8Array | null> {
    const name = keyOf(key);
    return outwait(async () => {
      const found = await bucket.get(name);
      if (found === null) return null;
      if (found.size === undefined || withinBound(found.size, options))
        return new Uint8Array(await found.arrayBuffer());
      await found.body?.cancel();
      return null;
    });
  }

  async function write(key: string, value: unknown): Promise<void> {
    const name = keyOf(key);
    const bytes = bytesOf(value);
    await outwait(() => bucket.put(name, bytes));
  }

  async function list(prefix: string): Promise<string[]> {
    const names = await listObjects(bucket, keyOf(prefix));
    return names.map((name) => name.slice(keyPrefix.length));
  }

  async function remove(keys: readonly string[]): Promise<void> {
    const names = keys.map(keyOf);
    for (let start = 0; start < names.length; start += deletionsAtOnce) {
      const batch = names.slice(start, start + deletionsAtOnce);
      await outwait(() => bucket.delete(batch));
    }
  }

  return {
    name: "cloudflare-r2",
    capabilities: { completeListing: true },
    hasItem: async (key) => {
      const name = keyOf(key);
      return (await outwait(() => bucket.head(name))) !== null;
    },
    getItem: async (key) => textOf(await read(key)),
    getItemRaw: read,
    setItem: write,
    setItemRaw: write,
    removeItem: async (key) => {
      const name = keyOf(key);
      await outwait(() => bucket.delete(name));
    },
    getKeys: (prefix) => list(prefix ?? ""),
    async clear(level) {
      const prefix = prefixOfLevel(level ?? "");
      assertNotEverything(keyOf(prefix));
      await remove(await list(prefix));
    },
    async createIfAbsent(key, bytes) {
      const name = keyOf(key);
      const condition = { onlyIf: { etagDoesNotMatch: "*" } };
      return (await outwait(() => bucket.put(name, bytes, condition))) === null ? "exists" : "created";
    },
    async removeItems(keys) {
      await remove(keys);
      return []; // R2 names no keys: it deletes all of them or says that it has failed
    },
  };
}
