/** Lists keys by SCAN, which never blocks the server for long. */
import type { RedisClient } from "./client.ts";

// A page of 1,000 takes the server about a millisecond.
const pageKeys = 1000;

/** All keys that begin with the text, each once. */
export async function listKeys(client: RedisClient, prefix: string): Promise<string[]> {
  // ioredis puts a prefix of its own before keys, but neither before a pattern nor off what SCAN finds.
  const clientPrefix = client.options?.keyPrefix ?? "";
  const pattern = `${escapeGlob(clientPrefix + prefix)}*`;
  const pages = await Promise.all((await nodesOf(client)).map((node) => scan(node, pattern)));
  // SCAN may find a key twice.
  return [...new Set(pages.flat())].map((key) => key.slice(clientPrefix.length));
}

/** A cluster's SCAN sees one node: all of them have to be asked. */
async function nodesOf(client: RedisClient): Promise<RedisClient[]> {
  if (client.nodes === undefined) return [client];
  await client.call("PING"); // It knows its nodes once it is connected.
  const nodes = client.nodes("master");
  if (nodes.length === 0) throw new Error("The cluster has no node to ask");
  return nodes;
}

async function scan(node: RedisClient, pattern: string): Promise<string[]> {
  const keys: string[] = [];
  let cursor = "0";
  do {
    const page = await node.call("SCAN", cursor, "MATCH", pattern, "COUNT", pageKeys);
    const [next, found] = page as [string | number, string[]];
    keys.push(...found);
    cursor = String(next);
  } while (cursor !== "0");
  return keys;
}

function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]^-]/g, "\\$&");
}
