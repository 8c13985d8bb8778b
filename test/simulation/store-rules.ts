// What must hold at each moment of what a store has: rules that stand also while everything goes wrong.
import { digestsOf, type Revision } from "./content.ts";
import type { Operation } from "./operation.ts";
import { type StoreWatch, short } from "./store.ts";
import type { SimulatedProcess, World } from "./world.ts";

const prefix = "balena-images:v1:";
const hourMs = 60 * 60_000;

/** What the rules go by. */
export interface RuleScene {
  readonly world: World;
  values(): ReadonlyMap<string, Uint8Array>;
  readonly hasWrongClocks: boolean;
  /** Listings leave keys out, so nobody can know which chunks are needed. */
  readonly listsPoorly: boolean;
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
export function storeRules({
  world,
  values,
  hasWrongClocks,
  listsPoorly,
  revisionsOf,
}: RuleScene): StoreWatch {
  const committedMs = new Map<string, number>();
  const writtenMs = new Map<string, number>();
  /** When a value was deleted that is not there any more. */
  const removedMs = new Map<string, number>();
  /** Who has written a lease last. */
  const owners = new Map<string, string>();
  /** When a process has last seen a lease, or that it is gone. */
  const lookedMs = new Map<string, number>();

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
    if (before && manifestOf(before)?.createdAt === manifest.createdAt) return;
    committedMs.set(key, world.nowMs);
    assertStored(key, manifest.chunks);
    const { version } = manifest.identity;
    const isOne = revisionsOf(version).some((revision) =>
      isSame(digestsOf(revision), manifest.chunks, revision, manifest),
    );
    if (!isOne) world.violate(`${short(key)} is committed, but consists of no single revision`);
  };

  const onLease = (process: SimulatedProcess, key: string, bytes: Uint8Array) => {
    const { owner } = jsonOf(bytes) as { owner: string };
    const seenMs = lookedMs.get(`${process.name} ${key}`) ?? -1;
    const goneMs = removedMs.get(key);
    const isItsOwn = owners.get(key) === owner;
    owners.set(key, owner);
    if (isItsOwn && goneMs !== undefined && seenMs > goneMs)
      world.violate(`${process.name} writes ${short(key)} again, which it has seen deleted`);
  };

  const onChunkRemoved = (process: SimulatedProcess, key: string, { name, startedMs }: Operation) => {
    const ageMs = world.nowMs - (writtenMs.get(key) ?? 0);
    if (name === "prune" && !hasWrongClocks && ageMs < hourMs)
      world.violate(`prune in ${process.name} deletes ${short(key)}, written ${Math.round(ageMs)} ms ago`);
    const digest = key.slice(key.lastIndexOf(":") + 1);
    if (listsPoorly) return;
    // One that came meanwhile may not have been seen.
    for (const [image, value] of values()) {
      const isOlder = image.startsWith(`${prefix}images:`) && committedMs.get(image)! < startedMs;
      if (isOlder && manifestOf(value)?.chunks.includes(digest))
        world.violate(`${name} in ${process.name} deletes ${short(key)}, which ${short(image)} needs`);
    }
  };

  return {
    read(process, key) {
      if (key.startsWith(`${prefix}leases:`)) lookedMs.set(`${process.name} ${key}`, world.nowMs);
    },
    write(process, key, bytes, before) {
      if (key.startsWith(`${prefix}images:`)) onManifest(key, jsonOf(bytes) as ManifestValue, before);
      if (key.startsWith(`${prefix}partials:`) && !key.includes(":wire:"))
        assertStored(key, (jsonOf(bytes) as { digests: (string | null)[] }).digests);
      if (key.startsWith(`${prefix}leases:`) && !key.endsWith(":head")) onLease(process, key, bytes);
      writtenMs.set(key, world.nowMs);
      removedMs.delete(key);
    },
    remove(process, key, operation) {
      removedMs.set(key, world.nowMs);
      if (key.startsWith(`${prefix}chunks:`) && operation) onChunkRemoved(process, key, operation);
    },
  };
}

const jsonOf = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));

/** `undefined` for one that was torn as it was written. */
function manifestOf(bytes: Uint8Array): ManifestValue | undefined {
  try {
    return jsonOf(bytes) as ManifestValue;
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
