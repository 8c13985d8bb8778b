/**
 * Decides which process transfers an image if several share a store. The process that creates `leases:<id>:<epoch>` transfers it, and the
 * others follow its journal. Another process takes over by creating the next epoch: if the heartbeat does not change for the TTL, on the
 * observer's own clock, or if the work does not progress for longer than its owner allows. A lost lease costs a second transfer at worst,
 * because chunks are named by their content.
 */

import { isCount, isName, isOptional, isRecord, isTime } from "../checks.ts";
import { monotonicMs } from "../clock.ts";
import type { ByteStore } from "../store/byte-store.ts";
import { decodeJson, encodeJson } from "../store/json.ts";
import { leaseKey } from "../store/keys.ts";
import { sleep } from "../waiting.ts";
import { findEpochs, forgetHead, writeHead } from "./lease-head.ts";
import { isRetired, newOwner, retireOwner } from "./owner.ts";

/** How a lease is kept and watched, in milliseconds. */
export interface LeaseTimes {
  readonly heartbeatMs: number;
  readonly ttlMs: number;
  readonly pollMs: number;
}

/** What stands under a lease's key. */
export interface LeaseRecord {
  readonly owner: string;
  readonly beat: number;
  /** Counts all that moves: bytes that come, requests, chunks that are looked at. It beats alone if its transfer hangs. */
  readonly progress?: number | undefined;
  /** How long nothing may move on top of the TTL, because the owner waits for its upstream. */
  readonly quietMs?: number | undefined;
  /** By the owner's clock, only for `prune`. Clocks never decide whether an owner lives. */
  readonly renewedAt: number;
}

/** A lease that this process holds. */
export interface Lease {
  readonly epoch: number;
  readonly owner: string;
  /** Whether the store still says so. */
  stands(): Promise<boolean>;
  /** Stops the heartbeat and deletes the lease, unless somebody else has. `isDone`: it leaves no journal to be found. */
  release(isDone: boolean): Promise<void>;
}

/** Whose turn it is. */
export type Turn =
  | {
      readonly kind: "own";
      readonly lease: Lease | undefined;
      readonly journals: readonly number[];
      /** Owners that have died, as far as that was counted. */
      readonly killed: number;
    }
  | { readonly kind: "follow"; readonly epoch: number; readonly owner: string };

/** One transfer's part in the contest for an image's lease. */
export interface Contest {
  /** Takes the turn, or says which process to follow. Rejects if the store fails. */
  contend(): Promise<Turn>;
  /** Whether the lease that is followed is gone or has stood still too long. */
  isOver(epoch: number): Promise<boolean>;
}

/** A lease as it was last looked at, and since when it has looked like that, on this process's clock. */
export interface SeenLease {
  readonly epoch: number;
  readonly owner: string;
  readonly beat: number;
  readonly sinceMs: number;
  readonly progress: number | undefined;
  readonly movedMs: number;
}

/** What an owner tells of its work. */
export interface Work {
  /** See {@link LeaseRecord}. */
  readonly quietMs: number;
  progress(): number;
}

/** The lease of an owner that says nothing about its work, or that claims unlimited time. */
const maxQuietMs = 10 * 60 * 1000;

/** Nobody to share with. */
export const alone: Turn = { kind: "own", lease: undefined, journals: [], killed: 0 };

/**
 * Creates one. `onFault` is called when the heartbeat fails. `seenLeases` lives longer than this object. Otherwise each get that gives up
 * early would give a dead owner a whole TTL.
 */
export function createContest(
  store: ByteStore,
  id: string,
  times: LeaseTimes,
  signal: AbortSignal,
  now: () => number,
  onFault: (cause: unknown) => void,
  seenLeases: Map<string, SeenLease> = new Map(),
  work: Work = idle,
): Contest {
  const isStalled = (epoch: number, record: LeaseRecord): boolean => {
    if (isRetired(record.owner)) return true;
    const nowMs = monotonicMs();
    const seen = lookedAt(seenLeases.get(id), epoch, record, nowMs);
    seenLeases.set(id, seen);
    const quietMs = Math.min(maxQuietMs, record.quietMs ?? maxQuietMs);
    return nowMs - seen.sinceMs > times.ttlMs || nowMs - seen.movedMs > times.ttlMs + quietMs;
  };

  return {
    async contend() {
      const startedMs = monotonicMs();
      for (;;) {
        const { leases, last, journals, ...before } = await findEpochs(store, id);
        const current = leases.at(-1);
        const record = current === undefined ? undefined : await readLease(store, id, current);
        if (current !== undefined && record && !isStalled(current, record))
          return { kind: "follow", epoch: current, owner: record.owner };
        const epoch = last + 1;
        const owner = newOwner();
        const created = store.createIfAbsent(leaseKey(id, epoch), encodeLease(owner, 0, now, work));
        created.then((result) => result !== "created" && retireOwner(owner)).catch(() => retireOwner(owner));
        const result = await created;
        if (result === "unsupported") return alone;
        if (result === "exists") {
          // Another process was faster, and the next look finds it. If a read never shows it, we continue unshared.
          if (monotonicMs() - startedMs > times.ttlMs) return alone;
          await sleep(times.pollMs, signal);
          continue;
        }
        seenLeases.delete(id);
        const killed = before.killed + leases.length; // those that have left have deleted theirs
        const lease = keepLease(store, id, { epoch, owner }, times, signal, now, work, onFault);
        try {
          await writeHead(store, id, { epoch, journals, killed, renewedAt: now() });
          // An owner that was only paused sees by this that it has lost.
          await Promise.all(leases.map((old) => store.remove(leaseKey(id, old))));
        } catch (failure) {
          void lease.release(true); // nobody should wait for an unused lease
          throw failure;
        }
        return { kind: "own", lease, journals, killed };
      }
    },
    async isOver(epoch) {
      const record = await readLease(store, id, epoch);
      if (record) return isStalled(epoch, record);
      seenLeases.delete(id);
      return true;
    },
  };
}

function keepLease(
  store: ByteStore,
  id: string,
  { epoch, owner }: { epoch: number; owner: string },
  times: LeaseTimes,
  signal: AbortSignal,
  now: () => number,
  work: Work,
  onFault: (cause: unknown) => void,
): Lease {
  const key = leaseKey(id, epoch);
  const stop = new AbortController();
  const stopped = AbortSignal.any([stop.signal, signal]);
  let isLost = false;
  const beating = (async () => {
    for (let beat = 1; ; beat++) {
      await sleep(times.heartbeatMs, stopped);
      isLost = (await readLease(store, id, epoch))?.owner !== owner;
      if (isLost) return;
      await store.write(key, encodeLease(owner, beat, now, work));
    }
  })().catch((cause: unknown) => {
    if (!stopped.aborted) onFault(cause);
  });
  let released: Promise<void> | undefined;
  return {
    epoch,
    owner,
    stands: async () => (await readLease(store, id, epoch))?.owner === owner,
    release(isDone) {
      released ??= (async () => {
        stop.abort();
        retireOwner(owner); // even if the store does not delete the lease
        await beating;
        if (isLost) return;
        if (isDone) await forgetHead(store, id, epoch).catch(onFault);
        await store.remove(key).catch((cause: unknown) => {
          onFault(cause);
          store.removeSometime(key); // others would wait for a lease that nobody keeps
        });
      })();
      return released;
    },
  };
}

const idle: Work = { quietMs: 0, progress: () => 0 };

/** Only whether it moves counts: clocks of other machines are never compared with ours. */
function lookedAt(
  seen: SeenLease | undefined,
  epoch: number,
  { owner, beat, progress }: LeaseRecord,
  nowMs: number,
): SeenLease {
  const isSame = seen?.epoch === epoch && seen.owner === owner;
  const sinceMs = isSame && seen.beat === beat ? seen.sinceMs : nowMs;
  const movedMs = isSame && seen.progress === progress ? seen.movedMs : nowMs;
  return { epoch, owner, beat, sinceMs, progress, movedMs };
}

function encodeLease(
  owner: string,
  beat: number,
  now: () => number,
  { progress, quietMs }: Work,
): Uint8Array<ArrayBuffer> {
  return encodeJson({ owner, beat, progress: progress(), quietMs, renewedAt: now() } satisfies LeaseRecord);
}

/** A lease that can't be read counts as one that never beats. */
async function readLease(store: ByteStore, id: string, epoch: number): Promise<LeaseRecord | undefined> {
  const bytes = await store.read(leaseKey(id, epoch));
  if (!bytes) return undefined;
  const record = decodeJson(bytes);
  return isLeaseRecord(record) ? record : { owner: "", beat: -1, renewedAt: 0 };
}

/** Also asked by `prune`. */
export const isLeaseRecord = (value: unknown): value is LeaseRecord =>
  isRecord(value) &&
  isName(value["owner"]) &&
  isCount(value["beat"]) &&
  isOptional(isCount, value["progress"]) &&
  isOptional(isCount, value["quietMs"]) &&
  isTime(value["renewedAt"]);
