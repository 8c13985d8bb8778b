/** Decides what is evicted first, by how many bytes everything takes. Pure: plain data in, decisions out. */
import { ChunkCounts } from "../store/chunk-counts.ts";
import { bytesAt, bytesOf, type Content } from "../store/content.ts";

/** Something that takes room. */
export interface Tenant {
  readonly id: string;
  /** What is left of a transfer that did not end: it goes before any image. */
  readonly isPartial?: boolean;
  readonly content: Content;
  /** Last use, milliseconds since 1970. */
  readonly usedAt: number;
  /** Pinned, or read or written right now: never evicted. */
  readonly isSpared: boolean;
}

/** Bytes of an image that it alone needs, and those that it shares with others. */
export function shareOf(content: Content, counts: ChunkCounts): { ownBytes: number; sharedBytes: number } {
  let [ownBytes, sharedBytes] = [0, 0];
  for (const [index, id] of content.ids.entries()) {
    if (counts.countOf(id) > 1) sharedBytes += bytesAt(content, index);
    else ownBytes += bytesAt(content, index);
  }
  return { ownBytes, sharedBytes };
}

/** What is to be kept within. */
export interface RoomLimits {
  readonly maxBytes?: number | undefined;
  readonly unusedForMs?: number | undefined;
}

/** What is to go. */
export interface Evictions {
  readonly evicted: readonly Tenant[];
  readonly bytesBefore: number;
  readonly bytesLeft: number;
}

/** Bytes that can't be freed. */
export function sparedBytes(tenants: readonly Tenant[]): number {
  return countsOf(tenants.filter(({ isSpared }) => isSpared)).totalBytes;
}

/** Chooses by what is known of the tenants: see {@link evictions}. */
export function chooseEvictions(tenants: readonly Tenant[], limits: RoomLimits, now: number): Evictions {
  const choice = evictions(tenants, limits, now);
  let step = choice.next();
  while (!step.done) step = choice.next(step.value);
  return step.value;
}

/**
 * Returns the tenants that must go: all that were unused for too long, then as many as needed to get within `maxBytes`. The order is: those
 * that can't stay in any case, then broken transfers, then images, the least recently used first. If others share a tenant's chunks, it
 * frees only the chunks that are its own at that moment.
 *
 * Each candidate is yielded first, because what is known of it may be old. The answer is the tenant as it is now, or `undefined` if it is
 * gone already. A tenant that was used later than was known waits for its new turn.
 */
export function* evictions(
  tenants: readonly Tenant[],
  limits: RoomLimits,
  now: number,
): Generator<Tenant, Evictions, Tenant | undefined> {
  const { maxBytes = Number.POSITIVE_INFINITY, unusedForMs = Number.POSITIVE_INFINITY } = limits;
  const counts = countsOf(tenants);
  const bytesBefore = counts.totalBytes;
  const queue = inOrderOfLeaving(tenants, maxBytes);
  const evicted: Tenant[] = [];
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { tenant, rank } = next;
    if (now - tenant.usedAt <= unusedForMs && counts.totalBytes <= maxBytes) continue;
    const current = yield tenant;
    if (current?.isSpared) continue;
    if (current && current.usedAt > tenant.usedAt && rank !== ranks.neverFits) {
      queue.insert({ tenant: current, rank });
      continue;
    }
    if (current) evicted.push(current);
    counts.release(tenant.content);
  }
  return { evicted, bytesBefore, bytesLeft: counts.totalBytes };
}

const countsOf = (tenants: readonly Tenant[]) => new ChunkCounts(tenants.map(({ content }) => content));

const ranks = { neverFits: 0, partial: 1, image: 2 } as const;

interface Place {
  readonly tenant: Tenant;
  readonly rank: number;
}

/** A tenant that exceeds the limit alone, or together with the spared ones, goes first. Otherwise small ones would go for it in vain. */
function inOrderOfLeaving(tenants: readonly Tenant[], maxBytes: number): Queue {
  const spared = countsOf(tenants.filter(({ isSpared }) => isSpared));
  const bytesForOthers = maxBytes - spared.totalBytes;
  const isTooLarge = ({ content }: Tenant) =>
    bytesForOthers > 0 && bytesOf(content) > bytesForOthers && bytesBeyond(content, spared) > bytesForOthers;
  const rankOf = (tenant: Tenant) => {
    if (isTooLarge(tenant)) return ranks.neverFits;
    return tenant.isPartial ? ranks.partial : ranks.image;
  };
  const leaving = tenants.filter(({ isSpared }) => !isSpared);
  return new Queue(leaving.map((tenant) => ({ tenant, rank: rankOf(tenant) })));
}

function bytesBeyond(content: Content, counts: ChunkCounts): number {
  let sum = 0;
  for (const [index, id] of content.ids.entries())
    if (counts.countOf(id) === 0) sum += bytesAt(content, index);
  return sum;
}

/** Places in order; those that come late are few. */
class Queue {
  readonly #places: Place[];
  #next = 0;

  constructor(places: Place[]) {
    this.#places = places.sort(compare);
  }

  shift(): Place | undefined {
    return this.#places[this.#next++];
  }

  insert(place: Place): void {
    const before = this.#places.findIndex((other, index) => index >= this.#next && compare(place, other) < 0);
    this.#places.splice(before === -1 ? this.#places.length : before, 0, place);
  }
}

const compare = (a: Place, b: Place) => a.rank - b.rank || a.tenant.usedAt - b.tenant.usedAt;
