/** Checks the options of `createImageManager` and fills in the defaults. */

import { bounds } from "./bounds.ts";
import { randomBytes, wallMs } from "./clock.ts";
import { webHash } from "./digest.ts";
import { InvalidArgumentError } from "./errors.ts";
import type { LeaseTimes } from "./sharing/lease.ts";
import type { ChunkEncoding, ImageManagerOptions, LeaseOptions } from "./types.ts";

const MiB = 1024 * 1024;

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option and its range. */
export function checkedOptions(options: ImageManagerOptions) {
  if (typeof options !== "object" || options === null)
    throw new InvalidArgumentError("createImageManager needs options: an object with source and storage");
  const { freshness = {}, retry = {}, now = wallMs, inflate, hash, onEvent } = options;
  assertFunctions({ now, inflate, hash, onEvent, fetch: options.fetch });
  const inflater = inflate ?? gunzip;
  assertObjects({ freshness, retry, lease: options.lease === undefined ? {} : options.lease });
  const { sha256 = false } = options;
  if (typeof sha256 !== "boolean") throw new InvalidArgumentError('"sha256" must be true or false');
  if (sha256 && typeof hash?.createSha256 !== "function")
    throw new InvalidArgumentError(
      '"sha256" needs a "hash" with createSha256, which hashes a whole file: on Node, nodeHash of balena-image-manager/node',
    );
  return {
    prefix: checkedPrefix(options.prefix),
    chunkBytes: inRange("chunkBytes", options.chunkBytes, 4 * MiB, bounds.leastChunkBytes, bounds.chunkBytes),
    memoryBytes: inRange(
      "memoryBytes",
      options.memoryBytes,
      64 * MiB,
      bounds.leastChunkBytes,
      Number.MAX_SAFE_INTEGER,
    ),
    maxBytes:
      options.maxBytes === undefined
        ? undefined
        : inRange("maxBytes", options.maxBytes, 0, 0, Number.MAX_SAFE_INTEGER),
    freshness: {
      maxAgeMs: duration("freshness.maxAgeMs", freshness.maxAgeMs, 0),
      staleIfErrorMs: duration(
        "freshness.staleIfErrorMs",
        freshness.staleIfErrorMs,
        Number.POSITIVE_INFINITY,
      ),
    },
    retry: {
      attempts: inRange("retry.attempts", retry.attempts, 11, 1, 1_000_000),
      minDelayMs: timer("retry.minDelayMs", retry.minDelayMs, 500, 0),
      maxDelayMs: timer("retry.maxDelayMs", retry.maxDelayMs, 30_000, 0),
      idleTimeoutMs: timer("retry.idleTimeoutMs", retry.idleTimeoutMs, 30_000, 1),
    },
    connections: inRange("connections", options.connections, 1, 1, 16),
    lookUpTimeoutMs: inRange("lookUpTimeoutMs", options.lookUpTimeoutMs, 10_000, 1, 300_000_000),
    storeTimeoutMs: timer("storeTimeoutMs", options.storeTimeoutMs, 5_000, 1),
    keepWireBytes: checkedBoolean("keepWireBytes", options.keepWireBytes, true),
    lease: checkedLease(options.lease),
    inflater,
    codec: { encoding: checkedEncoding(options.encoding), inflater },
    hash: hash ?? webHash,
    createSha256: sha256 ? hash?.createSha256 : undefined,
    editKey: checkedEditKey(options.editKey),
    now: () => Math.floor(now()), // a stored time is a whole number
    // workerd refuses the global `fetch` if it is called as a method of another object.
    fetch: options.fetch ?? ((...args: Parameters<typeof fetch>) => fetch(...args)),
    onEvent,
  };
}

function checkedLease({ heartbeatMs, ttlMs, pollMs }: LeaseOptions = {}): LeaseTimes {
  const times = {
    heartbeatMs: timer("lease.heartbeatMs", heartbeatMs, 2_000, 1),
    ttlMs: timer("lease.ttlMs", ttlMs, 10_000, 1),
    pollMs: timer("lease.pollMs", pollMs, 250, 1),
  };
  if (times.ttlMs > 2 * times.heartbeatMs) return times;
  throw new InvalidArgumentError('"lease.ttlMs" must be more than twice "lease.heartbeatMs"');
}

// lib.dom does not allow bytes of a SharedArrayBuffer as input of a DecompressionStream. Our bytes are never shared.
const gunzip = () => new DecompressionStream("gzip") as unknown as TransformStream<Uint8Array, Uint8Array>;

function checkedEncoding(encoding: ChunkEncoding | undefined): ChunkEncoding | undefined {
  const { format, encode, decoders = {} } = (encoding ?? {}) as Partial<ChunkEncoding>;
  const isDecoder = (decoder: unknown) => decoder === undefined || typeof decoder === "function";
  const isFormat = format === "gzip" || format === "zstd";
  const isEncoding = isFormat && typeof encode === "function" && Object.values(decoders).every(isDecoder);
  if (encoding === undefined || isEncoding) return encoding;
  throw new InvalidArgumentError(
    '"encoding" must be what gzipEncoding, or zstdEncoding of balena-image-manager/node, returns',
  );
}

function checkedPrefix(prefix: unknown = "balena-images"): string {
  if (
    typeof prefix === "string" &&
    prefix.length <= 200 &&
    /^[A-Za-z0-9._~-]+(?::[A-Za-z0-9._~-]+)*$/.test(prefix)
  )
    return prefix;
  throw new InvalidArgumentError(
    '"prefix" must be 1 to 200 characters of A-Z a-z 0-9 . _ ~ - with ":" between levels, for example "team:images"',
  );
}

/** The random one is made when it is needed: workerd has no random numbers before a request. */
function checkedEditKey(key: unknown): () => Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer> | undefined;
  if (key === undefined) return () => (bytes ??= randomBytes(32));
  const isKey = typeof key === "string" || key instanceof Uint8Array;
  if (isKey && key.length >= bounds.leastEditKeyBytes && key.length <= bounds.editKeyBytes) {
    const own = typeof key === "string" ? new TextEncoder().encode(key) : new Uint8Array(key);
    return () => own;
  }
  throw new InvalidArgumentError(
    `"editKey" must be ${bounds.leastEditKeyBytes} to ${bounds.editKeyBytes} bytes or characters`,
  );
}

function inRange(name: string, value: unknown, byDefault: number, min: number, max: number): number {
  if (value === undefined) return byDefault;
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max)
    return value as number;
  throw new InvalidArgumentError(`"${name}" must be a whole number from ${min} to ${max}`);
}

function duration(name: string, value: unknown, byDefault: number): number {
  if (value === undefined) return byDefault;
  if (typeof value === "number" && value >= 0) return value;
  throw new InvalidArgumentError(`"${name}" must be a number of milliseconds from 0 to Infinity`);
}

function checkedBoolean(name: string, value: unknown, byDefault: boolean): boolean {
  if (value === undefined) return byDefault;
  if (typeof value === "boolean") return value;
  throw new InvalidArgumentError(`"${name}" must be true or false`);
}

const timer = (name: string, value: unknown, byDefault: number, min: number) =>
  inRange(name, value, byDefault, min, bounds.timerMs);

function assertObjects(options: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(options)) {
    if (typeof value !== "object" || value === null)
      throw new InvalidArgumentError(`"${name}" must be an object`);
  }
}

function assertFunctions(options: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && typeof value !== "function")
      throw new InvalidArgumentError(`"${name}" must be a function`);
  }
}
