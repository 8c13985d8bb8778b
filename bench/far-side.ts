// A process that reads an image from a far store, or a file over the same line, and tells what that cost.
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { balenaApiSource } from "../src/adapters/balena-api/index.ts";
import { gzipEncoding, nodeHash, nodeInflate, zstdEncoding } from "../src/adapters/node/index.ts";
import { s3Adapter } from "../src/adapters/s3/index.ts";
import { type ChunkEncoding, createImageManager } from "../src/core/index.ts";
import type { BucketAccess } from "../test/support/s3-service.ts";
import { answerCalls } from "./calls.ts";
import { image } from "./image.ts";
import { type Cost, measure } from "./measure.ts";
import type { UpstreamFacts } from "./upstream.ts";

/** How chunks lie. */
export type Lying = "raw" | "gzip" | "zstd";

/** Ours: a first get fills the store, a hit reads it. */
export interface FarGet {
  readonly upstream: UpstreamFacts;
  readonly access: BucketAccess;
  readonly lying: Lying;
}

/** What a get cost; `requests` to the store. */
export interface FarCost extends Cost {
  readonly firstByteMs: number;
  readonly requests: number;
}

const encodings: Readonly<Record<Lying, () => ChunkEncoding | undefined>> = {
  raw: () => undefined,
  gzip: gzipEncoding,
  zstd: zstdEncoding,
};

answerCalls(
  {
    get: ({ upstream, access, lying }: FarGet): Promise<FarCost> =>
      ours(upstream, access, lying, upstream.imageBytes),
    /** The vendor's client, of the `.gz` as one object. */
    vendor: async (access: BucketAccess & { readonly key: string }): Promise<FarCost> => {
      const { endpoint, region, accessKeyId, secretAccessKey } = access;
      const credentials = { accessKeyId, secretAccessKey };
      const client = new S3Client({ endpoint: String(endpoint), region, credentials, forcePathStyle: true });
      const command = new GetObjectCommand({ Bucket: access.bucket, Key: access.key });
      const cost = await timed(async (onBytes) => {
        const { Body } = await client.send(command);
        for await (const bytes of (Body as Readable).pipe(createGunzip({ chunkSize: 2 ** 20 })))
          onBytes(bytes);
      });
      return { ...cost, requests: 1 };
    },
    /** The `.gz` of the upstream, which is what the cache is there to save. */
    download: async (url: string): Promise<FarCost> => {
      const cost = await timed(async (onBytes) => {
        const body = Readable.fromWeb((await fetch(url)).body as never);
        for await (const bytes of body.pipe(createGunzip({ chunkSize: 2 ** 20 }))) onBytes(bytes);
      });
      return { ...cost, requests: 1 };
    },
  },
  async () => undefined,
);

async function ours(
  upstream: UpstreamFacts,
  access: BucketAccess,
  lying: Lying,
  expectedBytes: number,
): Promise<FarCost> {
  let requests = 0;
  const counted: typeof fetch = (input, init) => {
    requests += 1;
    return fetch(input, init);
  };
  const encoding = encodings[lying]();
  await using manager = createImageManager({
    source: balenaApiSource({ apiUrl: upstream.url }),
    storage: s3Adapter({ ...access, fetch: counted }),
    ...(encoding && { encoding }),
    inflate: nodeInflate,
    hash: nodeHash,
    freshness: { maxAgeMs: Number.POSITIVE_INFINITY },
  });
  let seenBytes = 0;
  const cost = await timed(async (onBytes) => {
    const stream = await manager.get(image.deviceType, image.version);
    for await (const bytes of stream) {
      seenBytes += bytes.length;
      onBytes(bytes);
    }
    if (stream.origin === "network" && !(await stream.committed())) throw new Error("It was not committed");
  });
  if (seenBytes !== expectedBytes) throw new Error(`${seenBytes} bytes came of ${expectedBytes}`);
  return { ...cost, requests };
}

async function timed(run: (onBytes: (bytes: Uint8Array) => void) => Promise<void>) {
  let firstByteMs = Number.NaN;
  const startedMs = performance.now();
  const cost = await measure(() =>
    run(() => {
      firstByteMs ||= performance.now() - startedMs;
    }),
  );
  return { ...cost, firstByteMs };
}
