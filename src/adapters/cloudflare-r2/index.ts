/**
 * A store in a Cloudflare R2 bucket, over a Worker's binding: one object a key.
 *
 * @module balena-image-manager/adapters/cloudflare-r2
 */
import { InvalidArgumentError } from "../../core/errors.ts";
import type { StoreDriver } from "../../core/types.ts";
import {
  assertNotEverything,
  bytesOf,
  checkedKeyPrefix,
  keyPrefixer,
  prefixOfLevel,
  textOf,
} from "../values.ts";
import type { R2BucketBinding } from "./bucket.ts";
import { outwait } from "./retry.ts";

export type { R2BucketBinding };

/** Options of {@link r2Adapter}. */
export interface R2AdapterOptions {
  /** The bucket, as the Worker's `env` has it. */
  binding: R2BucketBinding;
  /** Text put before every key, for example `images/`. Default: none. */
  keyPrefix?: string | undefined;
}

// R2 deletes no more at once.
const deletionsAtOnce = 1000;

/**
 * Keeps values in an R2 bucket, which any number of Workers may share. R2 is strongly consistent: a value that was written
 * is found and listed at once.
 *
 * R2 takes one write per second and key: one that it refuses for that reason, or because it is in trouble, is tried again for
 * about 15 seconds. Its other errors reject as the binding made them.
 *
 * @throws `INVALID_ARGUMENT` when an option is of the wrong type.
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
  const { bucket, keyPrefix } = checked(options);
  const full = keyPrefixer(keyPrefix);

  async function read(key: string): Promise<Uint8Array | null> {
    const name = full(key);
    return outwait(async () => {
      const found = await bucket.get(name);
      return found && new Uint8Array(await found.arrayBuffer());
    });
  }

  async function write(key: string, value: unknown): Promise<void> {
    const name = full(key);
    const bytes = bytesOf(value);
    await outwait(() => bucket.put(name, bytes));
  }

  /** Every key that begins with the text given. */
  async function list(prefix: string): Promise<string[]> {
    const keys: string[] = [];
    let cursor: string | undefined;
    do {
      const where = { prefix: full(prefix), ...(cursor !== undefined && { cursor }) };
      const page = await outwait(() => bucket.list(where));
      keys.push(...page.objects.map(({ key }) => key.slice(keyPrefix.length)));
      cursor = page.truncated ? page.cursor : undefined;
    } while (cursor !== undefined);
    return keys;
  }

  return {
    name: "cloudflare-r2",
    capabilities: { completeListing: true },
    hasItem: async (key) => {
      const name = full(key);
      return (await outwait(() => bucket.head(name))) !== null;
    },
    getItem: async (key) => textOf(await read(key)),
    getItemRaw: read,
    setItem: write,
    setItemRaw: write,
    removeItem: async (key) => {
      const name = full(key);
      await outwait(() => bucket.delete(name));
    },
    getKeys: (prefix) => list(prefix ?? ""),
    async clear(level) {
      const prefix = prefixOfLevel(level ?? "");
      assertNotEverything(full(prefix));
      const names = (await list(prefix)).map(full);
      for (let start = 0; start < names.length; start += deletionsAtOnce) {
        const batch = names.slice(start, start + deletionsAtOnce);
        await outwait(() => bucket.delete(batch));
      }
    },
    async createIfAbsent(key, bytes) {
      const name = full(key);
      const condition = { onlyIf: { etagDoesNotMatch: "*" } };
      return (await outwait(() => bucket.put(name, bytes, condition))) === null ? "exists" : "created";
    },
  };
}

function checked({ binding, keyPrefix }: R2AdapterOptions) {
  const methods = ["head", "get", "put", "delete", "list"] as const;
  if (!methods.every((method) => typeof binding?.[method] === "function"))
    throw new InvalidArgumentError('"binding" must be an R2 bucket, for example env.IMAGES');
  return { bucket: binding, keyPrefix: checkedKeyPrefix(keyPrefix) };
}
