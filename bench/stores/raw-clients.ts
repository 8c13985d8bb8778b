// The bare clients, used as their manuals say: node:fs, ioredis and aws4fetch.
import { mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AwsClient } from "aws4fetch";
import { Redis } from "ioredis";
import type { StorePlace } from "./plan.ts";

/** Moves whole chunks, under keys that ours has not. */
export interface RawClient {
  write(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** How many bytes came. */
  read(key: string): Promise<number>;
  remove(key: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens the one for that store. */
export async function openRawClient(place: StorePlace): Promise<RawClient> {
  if (place.kind === "fs") return rawFiles(join(place.base, "raw"));
  return place.kind === "redis" ? rawRedis(place) : rawS3(place);
}

async function rawFiles(base: string): Promise<RawClient> {
  await mkdir(base);
  return {
    write: (key, bytes) => writeFile(join(base, key), bytes),
    read: async (key) => (await readFile(join(base, key))).length,
    remove: (key) => unlink(join(base, key)),
    close: async () => undefined,
  };
}

/** Commands under way together share the connection: ioredis pipelines them. */
function rawRedis({ url }: Extract<StorePlace, { kind: "redis" }>): RawClient {
  const redis = new Redis(url);
  const nameOf = (key: string) => `raw:${key}`;
  return {
    write: async (key, bytes) => void (await redis.set(nameOf(key), Buffer.from(bytes.buffer))),
    read: async (key) => (await redis.getBuffer(nameOf(key)))?.length ?? 0,
    remove: async (key) => void (await redis.unlink(nameOf(key))),
    close: async () => redis.disconnect(),
  };
}

function rawS3({ access }: Extract<StorePlace, { kind: "s3" }>): RawClient {
  const { accessKeyId, secretAccessKey, region, endpoint, bucket } = access;
  const client = new AwsClient({ accessKeyId, secretAccessKey, region, service: "s3", retries: 0 });
  const ask = async (key: string, init: RequestInit) => {
    const response = await client.fetch(`${endpoint}/${bucket}/raw/${key}`, init);
    const bytes = await response.arrayBuffer();
    if (!response.ok) throw new Error(`S3 answered ${response.status}`);
    return bytes.byteLength;
  };
  // Signed, for newer Ceph refuses a type that is not.
  const aws = { allHeaders: true };
  const headers = { "content-type": "application/octet-stream" };
  return {
    write: async (key, body) => void (await ask(key, { method: "PUT", body, headers, aws } as RequestInit)),
    read: (key) => ask(key, { method: "GET" }),
    remove: async (key) => void (await ask(key, { method: "DELETE" })),
    close: async () => undefined,
  };
}
