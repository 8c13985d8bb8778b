// What must hold at each moment of what a store has: rules that stand also while everything goes wrong.
import { digestsOf, type Revision } from "./content.ts";
import type { Profile } from "./profile.ts";
import { type StoreCall, type StoreWatch, short } from "./store.ts";
import type { World } from "./world.ts";

const prefix = "balena-images:v1:";
const hourMs = 60 * 60_000;

/** What the rules go by. */
export interface RuleScene {
  readonly world: World;
  readonly profile: Profile;
  values(): ReadonlyMap<string, Uint8Array>;
  /** All that the upstream has had of a version. */
  revisionsOf(version: string): readonly Revision[];
}

interface ManifestValue {
  readonly identity: { readonly version: string };
  readonly size: number;
  readonly createdAt: number;
  readonly chunks: readonly (string | null)[];
}

/** Watches a store, and tells the world what does not hold. */
export function storeRules({ world, profile, values, revisionsOf }: RuleScene): StoreWatch {
  const committedMs = new Map<string, number>();
  const writtenMs = new Map<string, number>();
  /** When a value was deleted that is not there any more. */
  const removedMs = new Map<string, number>();
  /** Who has written a lease last. */
  const owners = new Map<string, string>();
  /** When a process was last told of a lease, and of which moment. */
  const looks = new Map<string, { readonly ofMs: number; readonly toldMs: number }>();

  /** Chunks that somebody names must have been stored. They may have been deleted since: a race costs a second download, not more. */
  const assertStored = (key: string, digests: readonly (string | null)[]) => {
    for (const digest of digests) {
      if (digest === null) continue;
      const chunk = `${prefix}chunks:${digest.slice(0, 2)}:${digest}`;
      if (!values().has(chunk) && !removedMs.has(chunk))
        world.violate(`${short(key)} names chunk ${short(digest)}, which was never stored`);
    }
  };

  const onManifest = (key: string, manifest: ManifestValue, before: Uint8Array | undefined) => {
    if (before && (jsonOf(before) as ManifestValue | undefined)?.createdAt === manifest.createdAt) return;
    committedMs.set(key, world.nowMs);
    assertStored(key, manifest.chunks);
    const { version } = manifest.identity;
    const isOne = revisionsOf(version).some((revision) =>
      isSame(digestsOf(revision), manifest.chunks, revision, manifest),
    );
    if (!isOne) world.violate(`${short(key)} is committed, but consists of no single revision`);
  };

  const onLease = ({ process, calledMs }: StoreCall, key: string, bytes: Uint8Array) => {
    const { owner } = jsonOf(bytes) as { owner: string };
    const look = looks.get(`${process.name} ${key}`);
    const goneMs = removedMs.get(key);
    const isItsOwn = owners.get(key) === owner;
    owners.set(key, owner);
    if (isItsOwn && goneMs !== undefined && look && look.ofMs > goneMs && look.toldMs <= calledMs)
      world.violate(`${process.name} writes ${short(key)} again, which it has seen deleted`);
  };

  /** Without limits, `prune` deletes only chunks that nobody has needed for a long time. */
  const assertOld = ({ process, operation }: StoreCall, key: string) => {
    const ageMs = world.nowMs - (writtenMs.get(key) ?? 0);
    const isToBeOld =
      operation?.name === "prune" && !profile.hasWrongClocks && profile.maxBytes === undefined;
    if (isToBeOld && ageMs < hourMs)
      world.violate(`prune in ${process.name} deletes ${short(key)}, written ${Math.round(ageMs)} ms ago`);
  };

  /** A manifest that came while the call was under way may not have been seen. */
  const assertNotNeeded = ({ process, operation }: StoreCall, key: string) => {
    if (!operation || !isCertain(profile, operation.name)) return;
    const digest = key.slice(key.lastIndexOf(":") + 1);
    for (const [image, value] of values()) {
      const isOlder = image.startsWith(`${prefix}images:`) && committedMs.get(image)! < operation.startedMs;
      if (isOlder && (jsonOf(value) as ManifestValue | undefined)?.chunks.includes(digest))
        world.violate(
          `${operation.name} in ${process.name} deletes ${short(key)}, which ${short(image)} needs`,
        );
    }
  };

  return {
    read({ process }, key, ofMs) {
      if (key.startsWith(`${prefix}leases:`))
        looks.set(`${process.name} ${key}`, { ofMs, toldMs: world.nowMs });
    },
    write(call, key, bytes, before) {
      if (key.startsWith(`${prefix}images:`)) onManifest(key, jsonOf(bytes) as ManifestValue, before);
      if (key.startsWith(`${prefix}partials:`) && !key.includes(":wire:"))
        assertStored(key, (jsonOf(bytes) as { digests: (string | null)[] }).digests);
      if (key.startsWith(`${prefix}leases:`) && !key.endsWith(":head")) onLease(call, key, bytes);
      writtenMs.set(key, world.nowMs);
      removedMs.delete(key);
    },
    remove(call, key) {
      removedMs.set(key, world.nowMs);
      if (!key.startsWith(`${prefix}chunks:`)) return;
      assertOld(call, key);
      assertNotNeeded(call, key);
    },
  };
}

/**
 * Whether a call knows all that needs a chunk. One that makes room, or is told to delete, goes by the manifests that it can read. A download
 * that fails deletes nothing if there is one that it can't read. After a write without an answer nobody knows what the ledger says.
 */
function isCertain({ store, maxBytes }: Profile, operation: string): boolean {
  const { fails, losesAnswer, hangs, isSlow, tears, listsPoorly, isDisk } = store;
  if (listsPoorly && !isDisk) return false;
  const isDownload = !["remove", "prune", "verify", "cleanCache"].includes(operation);
  const isUnclear = losesAnswer + hangs + isSlow + tears > 0;
  return !isUnclear && (fails === 0 || (isDownload && maxBytes === undefined));
}

/** The value; `undefined` for one that is damaged. */
function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

const isSame = (
  digests: readonly (string | null)[],
  chunks: readonly (string | null)[],
  { size }: Revision,
  manifest: ManifestValue,
) =>
  size === manifest.size &&
  digests.length === chunks.length &&
  digests.every((digest, index) => digest === chunks[index]);
