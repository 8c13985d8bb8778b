// A process that gets an image, once from the upstream and once from a store with one encoding, or fetches the .gz and inflates it.
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { downloadRequest } from "../../src/adapters/balena/download.ts";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { gzipEncoding, nodeHash, nodeInflate, zstdEncoding } from "../../src/adapters/node/index.ts";
import { s3Adapter } from "../../src/adapters/s3/index.ts";
import {
  createImageManager,
  type ImageManager,
  gzipEncoding as webGzipEncoding,
} from "../../src/core/index.ts";
import { answerCalls } from "../calls.ts";
import { image } from "../image.ts";
import { type Cost, measure } from "../measure.ts";
import type { UpstreamFacts } from "../upstream.ts";

/** Names of what is compared. */
export type Form = "raw" | "gzip" | "gzip, level 6" | "gzip of the web" | "zstd" | "zstd, level 1";

/** What to open. */
export interface EncodingSide {
  readonly upstream: UpstreamFacts;
  /** A directory, or the address of a far store. */
  readonly place: string;
  readonly form: Form;
}

const encodings = {
  raw: undefined,
  gzip: gzipEncoding(),
  "gzip, level 6": gzipEncoding({ level: 6 }),
  "gzip of the web": webGzipEncoding(),
  zstd: zstdEncoding(),
  "zstd, level 1": zstdEncoding({ level: 1 }),
};

let upstream: UpstreamFacts;
let manager: ImageManager;

answerCalls(
  {
    async open({ upstream: facts, place, form }: EncodingSide): Promise<void> {
      await manager?.close();
      upstream = facts;
      const far = { bucket: "bench", region: "auto", accessKeyId: "id", secretAccessKey: "secret" };
      manager = createImageManager({
        source: balenaApiSource({ apiUrl: upstream.url }),
        storage: place.startsWith("http")
          ? s3Adapter({ ...far, endpoint: place })
          : fsAdapter({ base: place }),
        encoding: encodings[form],
        hash: nodeHash,
        inflate: nodeInflate,
        keepWireBytes: false,
        freshness: { maxAgeMs: Number.POSITIVE_INFINITY },
        storeTimeoutMs: 60_000,
      });
    },
    first: (): Promise<Cost> => measure(() => drain("network")),
    repeated: (): Promise<Cost> => measure(() => drain("cache")),
    async check(): Promise<void> {
      const hash = createHash("sha256");
      for await (const piece of await manager.get(image.deviceType, image.version)) hash.update(piece);
      if (hash.digest("hex") !== upstream.sha256) throw new Error("The stored image is not the upstream's");
    },
    async storedBytes(): Promise<number> {
      for await (const entry of manager.list()) if (entry.isComplete) return entry.ownBytes ?? 0;
      throw new Error("Nothing is stored");
    },
    clear: () => manager.cleanCache(),
    /** What a client without a cache does. */
    download: ({ url, imageBytes }: UpstreamFacts): Promise<Cost> =>
      measure(async () => {
        const request = downloadRequest(url, { ...image, variant: {}, fileType: ".gz" });
        const { body } = await fetch(request.url, { headers: { "accept-encoding": "identity" } });
        let bytes = 0;
        const inflated = Readable.fromWeb(body as never).pipe(createGunzip({ chunkSize: 1024 * 1024 }));
        for await (const piece of inflated) bytes += (piece as Uint8Array).length;
        if (bytes !== imageBytes) throw new Error(`${bytes} bytes came of ${imageBytes}`);
      }),
  },
  async () => manager?.close(),
);

async function drain(origin: "network" | "cache"): Promise<void> {
  const stream = await manager.get(image.deviceType, image.version);
  if (stream.origin !== origin) throw new Error(`The image came from ${stream.origin}, not from ${origin}`);
  for await (const _ of stream);
  if (!(await stream.committed())) throw new Error("The image is not stored");
}
