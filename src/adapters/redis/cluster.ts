/**
 * Lists all nodes of a Redis Cluster. SCAN sees only one node. If that were taken for the whole store, chunks would be deleted that images
 * on other nodes need.
 */
import { startTimer, stopTimer } from "../../core/clock.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import type { OwnClient, RedisClient } from "./client.ts";
import { hasRedisCode } from "./failure.ts";

/**
 * Rejects with `INVALID_ARGUMENT` if a client that knows one server is connected to a node of a cluster.
 *
 * @param key - Any key or prefix that the client may use: what is asked for begins with it.
 */
export async function assertNoClusterNode(client: RedisClient, key: string): Promise<void> {
  if (client.nodes !== undefined) return;
  try {
    // Their last characters put the two keys into different slots, so a node of a cluster refuses whatever it serves. A single
    // server counts them. EXISTS takes several keys since Redis 3, and no further permission.
    await client.call("EXISTS", `${key}~1`, `${key}~2`);
  } catch (error) {
    if (!hasRedisCode(error, "CROSSSLOT", "CLUSTERDOWN", "MOVED", "ASK")) throw error;
    throw new InvalidArgumentError(
      'This Redis server is one node of a cluster and knows only a part of the keys: pass "cluster" with the URLs of some nodes, or "client: new Cluster(…)" of ioredis',
    );
  }
}

const slotCount = 16_384;

/**
 * A cluster's masters, and which slots each of them has, as a text to compare. Rejects while they can't be told for sure: a
 * listing without some of them is worse than none.
 */
export async function mastersOf(client: RedisClient): Promise<{ nodes: RedisClient[]; layout: string }> {
  const slots = (await client.call("CLUSTER", "SLOTS")) as ClusterSlots;
  const nodes = client.nodes?.("master") ?? [];
  const masters = new Set(slots.map(([, , master]) => addressOf(master)));
  // It hears of new nodes only when it is sent to one of them.
  if (nodes.length !== masters.size) client.refreshSlotsCache?.();
  assertSettled(
    nodes.length === masters.size,
    `its client knows ${nodes.length} of ${masters.size} masters so far`,
  );
  assertSettled(
    slots.reduce((sum, [from, to]) => sum + to - from + 1, 0) === slotCount,
    "some slots have no node",
  );
  const views = await Promise.all(nodes.map((node) => node.call("CLUSTER", "NODES")));
  // `[93->-<node>]`: keys of this slot are on their way to another node.
  assertSettled(!views.some((view) => /\[\d+-[<>]-/.test(String(view))), "keys are moving between its nodes");
  return {
    nodes,
    layout: slots
      .map(([from, to, master]) => `${from}-${to} ${addressOf(master)}`)
      .sort()
      .join(),
  };
}

type Address = readonly [host: string, port: number];
type ClusterSlots = readonly (readonly [from: number, to: number, master: Address])[];

function addressOf([host, port]: Address): string {
  return `${host}:${port}`;
}

function assertSettled(isSettled: boolean, reason: string): void {
  if (!isSettled) throw new Error(`The keys of the Redis cluster can't be listed now: ${reason}`);
}

/** Waits until a client of a cluster has found its nodes: commands that are sent before would wait without a limit. */
export async function untilReady(client: OwnClient, timeoutMs: number): Promise<void> {
  if (client.status === "wait") client.connect().catch(() => {}); // it goes on trying, and tells its listeners why
  await new Promise<void>((resolve, reject) => {
    const timer = startTimer(() => settle(() => reject(new Error("Command timed out"))), timeoutMs);
    const onReady = () => settle(resolve);
    const onEnd = () => settle(() => reject(new Error("Connection is closed")));
    const settle = (end: () => void) => {
      stopTimer(timer);
      client.off("ready", onReady).off("end", onEnd);
      end();
    };
    client.once("ready", onReady).once("end", onEnd);
  });
}
