/** Lists keys by SCAN, which never blocks the server for long. */
import { keysOfPages } from "../store-values.ts";
import type { RedisClient } from "./client.ts";
import { mastersOf } from "./cluster.ts";

// A page of 1,000 takes the server about a millisecond.
const pageKeys = 1000;

/** All keys that begin with the text, each once. */
export async function listKeys(client: RedisClient, prefix: string): Promise<string[]> {
  // ioredis puts a prefix of its own before keys, but neither before a pattern nor off what SCAN finds.
  const clientPrefix = client.options?.keyPrefix ?? "";
  const start = clientPrefix + prefix;
  const pattern = `${escapeGlob(start)}*`;
  const found = await onEachNode(client, (node) =>
    keysOfPages(start, (cursor) => scanPage(node, pattern, cursor)),
  );
  return [...new Set(found.flat())].map((key) => key.slice(clientPrefix.length));
}

/** A cluster's SCAN sees one node, so all of them are asked; keys that moved meanwhile may have been missed. */
async function onEachNode<T>(client: RedisClient, ask: (node: RedisClient) => Promise<T>): Promise<T[]> {
  if (client.nodes === undefined) return [await ask(client)];
  const { nodes, layout } = await mastersOf(client);
  const answers = await Promise.all(nodes.map(ask));
  if ((await mastersOf(client)).layout === layout) return answers;
  throw new Error("The keys of the Redis cluster can't be listed now: slots have moved between its nodes");
}

async function scanPage(node: RedisClient, pattern: string, cursor = "0") {
  const page = await node.call("SCAN", cursor, "MATCH", pattern, "COUNT", pageKeys);
  const [next, keys] = page as [string | number, string[]];
  return { keys, next: String(next) === "0" ? undefined : String(next) };
}

function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]^-]/g, "\\$&");
}
