// Gets an image in parts with one process after the other, each killed at a place of the image but the last, and counts at the server.
import type { BalenaApi } from "../support/balena-api/index.ts";
import type { ChildStore } from "../support/child.ts";
import { type Child, startChild } from "../support/children.ts";

/** What is run. */
export interface KillPlan {
  readonly api: BalenaApi;
  readonly deviceType: string;
  readonly version: string;
  /** The store that all processes share. */
  readonly store: ChildStore;
  readonly chunkBytes: number;
  /** Bytes of the image that are delivered when a process is killed, ascending. */
  readonly places: readonly number[];
  /** Inflate with zlib itself. */
  readonly isZlib?: boolean;
  readonly onKill?: (line: KillLine) => void;
}

/** One process. `sentBytes` are those that the server sent to it. */
export interface KillLine {
  readonly place: number;
  readonly sentBytes: number;
  readonly ms: number;
  /** Where it went on within a part: the path's end, and the range. */
  readonly from: string | undefined;
}

/** What came of it. */
export interface KillReport {
  /** Bytes of all parts, as the server counts what it sends. */
  readonly sentBytes: number;
  readonly kills: number;
  readonly sha256: string | undefined;
  readonly isCommitted: boolean | undefined;
}

/** Real owners beat often enough for this on a busy machine, and dead ones are passed over soon. */
const lease = { heartbeatMs: 200, ttlMs: 2_000, pollMs: 20 };

export async function runKills(plan: KillPlan): Promise<KillReport> {
  const { api, deviceType, version, store, chunkBytes, places, isZlib = false, onKill } = plan;
  const start = () =>
    startChild({ apiUrl: api.url, deviceType, version, chunkBytes, lease, isZlib, ...store });
  api.counters.reset();
  let kills = 0;
  for (const place of places) {
    const [before, startedMs] = [api.counters.assetBytes, performance.now()];
    const asked = api.counters.requestLog.length;
    if (!(await killedAt(start(), place))) break;
    kills += 1;
    const ms = Math.round(performance.now() - startedMs);
    const rest = api.counters.requestLog.slice(asked).find(({ headers }) => headers.range !== undefined);
    const from = rest && `${/part-\d+/.exec(rest.url)?.[0]} ${rest.headers.range}`;
    onKill?.({ place, sentBytes: api.counters.assetBytes - before, ms, from });
  }
  const { sha256, isCommitted, error } = await start().ended();
  if (error) throw new Error(error);
  return { sentBytes: api.counters.assetBytes, kills, sha256, isCommitted };
}

/** `false` if it came to its end before. */
async function killedAt(child: Child, place: number): Promise<boolean> {
  await child.delivered(place);
  child.kill("SIGKILL");
  await child.ended();
  return child.process.signalCode === "SIGKILL";
}

/** So many places of an image, at random, ascending. */
export function randomPlaces(random: () => number, count: number, imageBytes: number): number[] {
  return Array.from({ length: count }, () => Math.floor(random() * imageBytes)).sort((a, b) => a - b);
}
