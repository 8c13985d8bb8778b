/**
 * Finds the epochs of an image's leases and journals by known keys. A listing could go through a whole database of other programs' keys.
 * The key of the first epoch is always known. The head, which its owner writes once, names a later epoch.
 */

import { isCount, isOptional, isRecord, isTime } from "../checks.ts";
import type { ByteStore } from "../store/byte-store.ts";
import { decodeSealed, encodeSealed } from "../store/json.ts";
import { leaseHeadKey, leaseKey, partialKey } from "../store/keys.ts";

/** What stands under the head's key: a hint. If it is lost or late, an image is transferred twice at worst. */
export interface LeaseHead {
  readonly epoch: number;
  /** Earlier epochs that may have left a journal, ascending. */
  readonly journals: readonly number[];
  /** Owners that have died. Default 0. */
  readonly killed?: number | undefined;
  /** By the owner's clock, for `prune` alone. */
  readonly renewedAt: number;
}

/** What there is of an image that somebody transfers, or did. */
export interface Epochs {
  /** Those with a lease, ascending. */
  readonly leases: readonly number[];
  /** The last one that is known; 0 if there was none. */
  readonly last: number;
  /** Those that may have left a journal, ascending. */
  readonly journals: readonly number[];
  /** Owners that had died when the head was written. */
  readonly killed: number;
}

/** Owners that left one after the other without a chunk to show: older ones are left to `prune`. */
const maxJournals = 8;
/** Owners that died one after the other before they wrote the head. A store that has every key must not be asked for ever. */
const maxUnnamed = 64;

/** Three reads at once if nobody transfers. */
export async function findEpochs(store: ByteStore, id: string): Promise<Epochs> {
  const [head, first, journal] = await Promise.all([
    readHead(store, id),
    store.read(leaseKey(id, 1)),
    store.read(partialKey(id, 1, 0)),
  ]);
  const named = head?.epoch ?? (journal ? 1 : 0);
  const isLeased = (epoch: number) => (epoch === 1 ? first : store.read(leaseKey(id, epoch)));
  const leases: number[] = [];
  if (named > 0 && (await isLeased(named))) leases.push(named);
  for (let epoch = named + 1; epoch <= named + maxUnnamed && (await isLeased(epoch)); epoch++)
    leases.push(epoch);
  const journals = new Set([...(head?.journals ?? []), ...(named > 0 ? [named] : []), ...leases]);
  return {
    leases,
    last: leases.at(-1) ?? named,
    journals: [...journals].slice(-maxJournals),
    killed: head?.killed ?? 0,
  };
}

/** Names an epoch for those who come later. The first one they look at anyway. */
export async function writeHead(store: ByteStore, id: string, head: LeaseHead): Promise<void> {
  if (head.epoch === 1) return;
  const key = leaseHeadKey(id);
  await store.write(key, await encodeSealed(key, head));
}

/** Deletes the head if it names this epoch, of which nothing is left. */
export async function forgetHead(store: ByteStore, id: string, epoch: number): Promise<void> {
  if (epoch > 1 && (await readHead(store, id))?.epoch === epoch) await store.remove(leaseHeadKey(id));
}

async function readHead(store: ByteStore, id: string): Promise<LeaseHead | undefined> {
  const key = leaseHeadKey(id);
  const head = await decodeSealed(key, await store.read(key));
  return isLeaseHead(head) ? head : undefined;
}

function isLeaseHead(value: unknown): value is LeaseHead {
  if (!isRecord(value) || !isTime(value["renewedAt"]) || !isEpoch(value["epoch"])) return false;
  if (!isOptional(isCount, value["killed"])) return false;
  const { journals } = value;
  return Array.isArray(journals) && journals.length <= maxJournals && journals.every(isEpoch);
}

const isEpoch = (value: unknown) => isCount(value) && value >= 1 && value <= 2 ** 31;
