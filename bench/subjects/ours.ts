// The image manager over each of its stores, with what is fastest on Node, and copies that count as fresh, as in the others.
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { nodeHash, nodeInflate } from "../../src/adapters/node/index.ts";
import { redisAdapter } from "../../src/adapters/redis/index.ts";
import { s3Adapter } from "../../src/adapters/s3/index.ts";
import {
  createImageManager,
  type GetOptions,
  type ImageManagerOptions,
  type ImageStream,
  type StoreDriver,
} from "../../src/core/index.ts";
import { image } from "../image.ts";
import { drain } from "./bytes.ts";
import type { FileType, OpenSubject, SubjectSetting } from "./subject.ts";

/** Over plain files. */
export const oursOnFiles: OpenSubject = async (setting) => ours(setting, fsAdapter({ base: setting.base }));

/** Over plain files, for a reader that frees what it is done with, as docs/operations.md advises. */
export const oursOnFilesFreed: OpenSubject = async (setting) =>
  ours(setting, fsAdapter({ base: setting.base }), ({ buffer }) => void (buffer as ArrayBuffer).transfer(0));

/** Over plain files, with the SHA-256 of the whole image. */
export const oursOnFilesWithSha256: OpenSubject = async (setting) =>
  ours(setting, fsAdapter({ base: setting.base }), undefined, { sha256: true });

/** Over this process's memory. */
export const oursInMemory: OpenSubject = async (setting) => ours(setting, memoryAdapter());

/** Over a Redis server. */
export const oursInRedis: OpenSubject = async (setting) =>
  ours(setting, redisAdapter({ url: variable(setting, "TEST_REDIS_URL") }));

/** Over an S3 server. */
export const oursInS3: OpenSubject = async (setting) =>
  ours(setting, s3Adapter(JSON.parse(variable(setting, "BENCH_S3"))));

function ours(
  setting: SubjectSetting,
  storage: StoreDriver,
  use?: (piece: Uint8Array) => void,
  options: Partial<ImageManagerOptions> = {},
) {
  const manager = createImageManager({
    source: balenaApiSource({ apiUrl: setting.upstream.url, configure: "upstream" }),
    storage,
    inflate: nodeInflate,
    hash: nodeHash,
    freshness: { maxAgeMs: Number.POSITIVE_INFINITY },
    ...options,
  });
  // The raw file that is asked for by name is an image of its own in the store.
  const optionsOf = (fileType: FileType): GetOptions => (fileType === ".img" ? { fileType } : {});
  const get = async (origin: ImageStream["origin"], options: GetOptions) => {
    const stream = await manager.get(image.deviceType, image.version, options);
    if (stream.origin !== origin) throw new Error(`The image came from ${stream.origin}, not from ${origin}`);
    return stream;
  };
  return {
    async first(fileType: FileType, variant: GetOptions = {}) {
      const stream = await get("network", { ...variant, ...optionsOf(fileType) });
      await drain(setting, stream, use);
      if (!(await stream.committed())) throw new Error("The image was not committed");
    },
    repeated: async (fileType: FileType) => drain(setting, await get("cache", optionsOf(fileType)), use),
    async range(start: number, bytes: number) {
      for await (const _ of await get("cache", { fileType: ".img", range: { start, end: start + bytes } }));
    },
    clear: () => manager.cleanCache(),
    async close() {
      await manager.close();
      await storage.dispose?.();
    },
  };
}

function variable({ environment = {} }: SubjectSetting, name: string): string {
  const value = environment[name];
  if (value === undefined) throw new Error(`${name} is not set: was the server started?`);
  return value;
}
