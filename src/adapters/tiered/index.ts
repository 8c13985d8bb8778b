/**
 * Two stores as one: a near one at a site, and a far one that sites share.
 *
 * @module balena-image-manager/adapters/tiered
 */
import { bounds } from "../../core/bounds.ts";
import type { StoreOperation } from "../../core/store/circuit-breaker.ts";
import { probeKey } from "../../core/store/keys.ts";
import type { StoreCapabilities, StoreDriver, StoreReadOptions } from "../../core/types.ts";
import { bytesOf, prefixOfLevel, requireOption, textOf } from "../store-values.ts";
import { createChunks } from "./chunks.ts";
import { createFarLink } from "./far-link.ts";
import { isCopyKey, kindOf, prefixOf } from "./kinds.ts";
import { listTiers } from "./listing.ts";
import { createNearCap } from "./near-cap.ts";
import { checkedOptions, type Tier, type TieredAdapterOptions } from "./options.ts";
import { createRecords } from "./records.ts";
import { removeManyTiers } from "./remove-many.ts";
import { createSender } from "./send-back.ts";
import { createBackground, createOwnValues, type Tiers } from "./tiers.ts";

export type { TieredAdapterOptions };

/**
 * Creates a store of two tiers. Chunks are read from the near store, then from the far one, and the near store is filled on the way. All
 * other values are read from the far store; the near one has copies for the time while the far one does not answer.
 *
 * While the far store is away, the near one takes what is written, and processes at the site share downloads by it. When the far store
 * answers again, it gets what it lacks. A call that finds the far store away costs one wait of `farTimeoutMs`; after that the far store is
 * left alone for a growing while, from `farTimeoutMs` to five minutes.
 *
 * `remove`, `prune` and `cleanCache` delete from both stores, so also for other sites. While the far store is away, they reject with `STORE`, and
 * nothing is swept. With `farReadOnly` they act on the near store alone, and `list` names the images that the near store knows.
 *
 * @throws `INVALID_ARGUMENT` if an option has the wrong type, or a store is no store.
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
 * import { fsAdapter } from "balena-image-manager/adapters/fs";
 * import { s3Adapter } from "balena-image-manager/adapters/s3";
 * import { tieredAdapter } from "balena-image-manager/adapters/tiered";
 *
 * const far = s3Adapter({
 *   bucket: "images",
 *   region: "eu-central-1",
 *   accessKeyId: process.env["AWS_ACCESS_KEY_ID"] ?? "key",
 *   secretAccessKey: process.env["AWS_SECRET_ACCESS_KEY"] ?? "secret",
 * });
 * const storage = tieredAdapter({ near: fsAdapter({ base: "./images" }), far, nearMaxBytes: 32 * 2 ** 30 });
 * const images = createImageManager({ source: balenaApiSource(), storage });
 * await images.close();
 * ```
 */
export function tieredAdapter(options: TieredAdapterOptions): StoreDriver {
  const { near, far, nearMaxBytes, farReadOnly, farTimeoutMs } = checkedOptions(options);
  const background = createBackground();
  const own = createOwnValues();
  const unsent = new Set<string>();
  let prefix = "";

  const probe = (operation: StoreOperation) => probeTier(far, prefix + probeKey, operation);
  const link = createFarLink({ timeoutMs: farTimeoutMs, probe });
  const tiers: Tiers = { near, far, link, farReadOnly, farTimeoutMs, unsent, own, background };
  const chunks = createChunks(
    tiers,
    createNearCap(near, nearMaxBytes, background, (key) => unsent.has(key)),
  );
  const records = createRecords(tiers);
  const sender = createSender(tiers);

  /** The key as it is. */
  const keyOf = (key: string): string => {
    requireOption(
      !isCopyKey(key),
      `A key must not end like the copies of this store: ${JSON.stringify(key)}`,
    );
    prefix = prefixOf(key) || prefix;
    sender.look();
    return key;
  };

  async function read(name: string, given: StoreReadOptions = {}): Promise<Uint8Array | null> {
    const key = keyOf(name);
    const kind = kindOf(key);
    const options = bounded(given);
    const bytes = kind === "chunk" ? chunks.read(key, options) : records.read(key, kind, options);
    return (await bytes) ?? null;
  }

  async function write(name: string, value: unknown): Promise<void> {
    const key = keyOf(name);
    const kind = kindOf(key);
    const bytes = bytesOf(value) as Uint8Array<ArrayBuffer>;
    await (kind === "chunk" ? chunks.write(key, bytes) : records.write(key, kind, bytes));
  }

  async function remove(name: string, isFarDone = farReadOnly): Promise<void> {
    const key = keyOf(name);
    const kind = kindOf(key);
    await (kind === "chunk" ? chunks.remove(key, isFarDone) : records.remove(key, kind, isFarDone));
  }

  const leasing = farReadOnly ? near : far;
  return {
    name: "tiered",
    capabilities: capabilitiesOf(tiers),
    hasItem: async (name) => {
      const key = keyOf(name);
      const kind = kindOf(key);
      return kind === "chunk"
        ? (await near.has(key)) || link.call("read", () => far.has(key))
        : records.has(key, kind);
    },
    getItem: async (key) => textOf(await read(key)),
    getItemRaw: read,
    readAgain: async (name, given = {}) => {
      const key = keyOf(name);
      if (kindOf(key) !== "chunk") return null;
      return (await chunks.readAgain(key, bounded(given))) ?? null;
    },
    setItem: write,
    setItemRaw: write,
    removeItem: (key) => remove(key),
    removeItems: (keys) => removeManyTiers(tiers, keys, remove),
    getKeys: (base) => listTiers(tiers, base ?? ""),
    clear: async (level) => {
      for (const key of await listTiers(tiers, prefixOfLevel(level ?? ""))) await remove(key);
    },
    async dispose() {
      await background.settled();
      await Promise.all([near.driver.dispose?.(), far.driver.dispose?.()]);
    },
    ...("createIfAbsent" in leasing.driver && {
      createIfAbsent: async (key: string, bytes: Uint8Array) =>
        records.create(keyOf(key), bytes as Uint8Array<ArrayBuffer>),
    }),
  };
}

const bounded = (options: StoreReadOptions) => ({
  ...options,
  maxBytes: options.maxBytes ?? bounds.unboundedReadBytes,
});

/** They are asked at each use: what the far store can do counts only while it is there. */
function capabilitiesOf({ near, far, link, farReadOnly }: Tiers): StoreCapabilities {
  const [ours, theirs] = [near.capabilities, far.capabilities];
  const maxValueBytes = Math.min(
    ours?.maxValueBytes ?? Number.POSITIVE_INFINITY,
    theirs?.maxValueBytes ?? Number.POSITIVE_INFINITY,
  );
  return {
    ...(Number.isFinite(maxValueBytes) && { maxValueBytes }),
    tellsProgress: theirs?.tellsProgress ?? false,
    get completeListing() {
      const isNear = ours?.completeListing ?? false;
      return isNear && (farReadOnly || (!link.isAway && (theirs?.completeListing ?? false)));
    },
  };
}

/** A call of the kind that failed, without effect. */
async function probeTier(tier: Tier, key: string, operation: StoreOperation): Promise<void> {
  if (operation === "list") await tier.list(key);
  else if (operation === "read") await tier.read(key, { maxBytes: 1 });
  else if (operation === "remove") await tier.remove(key);
  else {
    await tier.write(key, new Uint8Array(1));
    await tier.remove(key);
  }
}
