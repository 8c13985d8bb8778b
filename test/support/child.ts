// A process that gets one image over an fs, S3 or Redis store and tells the parent, a JSON line each, what happens. See `startChild`.
import { createHash } from "node:crypto";
import { balenaSdkSource } from "../../src/adapters/balena-sdk/index.ts";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { nodeInflate } from "../../src/adapters/node/inflate.ts";
import { redisAdapter } from "../../src/adapters/redis/index.ts";
import { type S3AdapterOptions, s3Adapter } from "../../src/adapters/s3/index.ts";
import {
  createImageManager,
  type GetOptions,
  type LeaseOptions,
  type StoreDriver,
} from "../../src/core/index.ts";

/** What the parent asks for, over the store that is at a path, in a bucket or at a Redis URL. */
export type ChildTask = ImageTask & ChildStore;

/** Where its store is. */
export type ChildStore =
  | { readonly base: string }
  | { readonly s3: S3AdapterOptions }
  | { readonly redisUrl: string };

interface ImageTask {
  readonly apiUrl: string;
  readonly deviceType: string;
  readonly version: string;
  readonly options?: GetOptions;
  readonly chunkBytes: number;
  readonly lease?: LeaseOptions;
  /** Inflate with zlib itself, which is several times as fast as the one of Node. Default: the platform's. */
  readonly isZlib?: boolean;
}

const task = JSON.parse(process.argv[2] ?? "") as ChildTask;
const tell = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

const storage = storeOf(task);
const manager = createImageManager({
  source: balenaSdkSource({ apiUrl: task.apiUrl, configure: "upstream" }),
  storage,
  chunkBytes: task.chunkBytes,
  lease: task.lease,
  ...(task.isZlib && { inflate: nodeInflate }),
  retry: { minDelayMs: 10 },
  onEvent: ({ type }) => tell({ event: type }),
});

try {
  const image = await manager.get(task.deviceType, task.version, task.options);
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const piece of image) {
    hash.update(piece);
    bytes += piece.length;
    tell({ bytes });
  }
  tell({
    origin: image.origin,
    sha256: hash.digest("hex"),
    isCommitted: (await image.committed()) !== undefined,
  });
} catch (error) {
  tell({ error: String(error) });
} finally {
  await manager.close();
  await storage.dispose?.();
}

function storeOf(store: ChildStore): StoreDriver {
  if ("redisUrl" in store) return redisAdapter({ url: store.redisUrl });
  return "s3" in store ? s3Adapter(store.s3) : fsAdapter({ base: store.base });
}
