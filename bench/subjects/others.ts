// What else people use: plain fetch, cacache, Hugging Face's cached download, unstorage as it comes, and `cp`.
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { copyFile, open, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { createStorage } from "unstorage";
import fsDriver from "unstorage/drivers/fs";
import { image } from "../image.ts";
import { drain, fetchImage } from "./bytes.ts";
import type { FileType, OpenSubject, SubjectSetting } from "./subject.ts";

const load = createRequire(import.meta.url);
const key = `${image.deviceType}-${image.version}`;

/** Fetches, unpacks, and keeps nothing: no first get can be faster. */
export const fetchToNothing: OpenSubject = async (setting) => ({
  async first(fileType) {
    const body = Readable.fromWeb((await fetchImage(setting, fileType)).body! as never);
    // With the pieces that serve zlib best, as ours does.
    await drain(setting, fileType === ".img" ? body : body.pipe(createGunzip({ chunkSize: 1024 * 1024 })));
  },
  clear: async () => undefined,
});

/** Fetches into one file; reads it, or places in it, back unverified. */
export const fetchToFile: OpenSubject = async (setting) => {
  const path = join(setting.base, "image.img");
  return {
    first: async (fileType) => toFile(setting, fileType, path),
    repeated: () => drain(setting, createReadStream(path, { highWaterMark: 1024 * 1024 })),
    async range(start, bytes) {
      await using file = await open(path);
      await file.read(Buffer.allocUnsafe(bytes), 0, bytes, start);
    },
    clear: () => rm(path, { force: true }),
  };
};

/** Fetches into one file and hashes what comes by; reads it back hashing: what a careful script does. */
export const fetchToFileHashed: OpenSubject = async (setting) => {
  const path = join(setting.base, "image.img");
  return {
    first: async (fileType) => proven(setting, (pass) => toFile(setting, fileType, path, pass)),
    repeated: () =>
      proven(setting, (pass) => drain(setting, pass(createReadStream(path, { highWaterMark: 1024 * 1024 })))),
    clear: () => rm(path, { force: true }),
  };
};

/** `cp` of the image's file: no bytes are looked at. */
export const copyOfFile: OpenSubject = async (setting) => {
  const [path, copy] = [join(setting.base, "image.img"), join(setting.base, "copy.img")];
  return {
    first: async (fileType) => toFile(setting, fileType, path),
    repeated: () => copyFile(path, copy),
    async clear() {
      for (const file of [path, copy]) await rm(file, { force: true });
    },
  };
};

interface Cacache {
  put: { stream(cache: string, key: string): NodeJS.WritableStream };
  get: { stream(cache: string, key: string): Readable };
}

/** npm's content-addressed cache: it hashes what it takes and what it gives. */
export const cacache: OpenSubject = async (setting) => {
  const { get, put }: Cacache = load("cacache");
  const base = join(setting.base, "cacache");
  return {
    async first(fileType) {
      const { body } = await fetchImage(setting, fileType);
      await pipeline(Readable.fromWeb(body! as never), put.stream(base, key));
    },
    repeated: () => drain(setting, get.stream(base, key)),
    clear: () => rm(base, { recursive: true, force: true }),
  };
};

/** Hugging Face's cached download, led to the loopback API: a file by its hash, nothing verified. */
export const huggingFaceHub: OpenSubject = async (setting) => {
  const { downloadFileToCacheDir } = load("@huggingface/hub");
  const cacheDir = join(setting.base, "hub");
  const path = "image.img";
  const facts = { path, type: "file", oid: setting.upstream.sha256, size: setting.upstream.imageBytes };
  console.debug = () => undefined; // it tells of each download
  const probed = {
    headers: { "content-range": `bytes 0-0/${facts.size}`, etag: `"${facts.oid}"` },
    status: 206,
  };
  const hub: typeof fetch = async (url, init) => {
    if (String(url).includes("/paths-info/")) return Response.json([facts]);
    return new Headers(init?.headers).has("range") ? new Response("", probed) : fetchImage(setting, ".img");
  };
  const download = (): Promise<string> =>
    downloadFileToCacheDir({ repo: "balena/images", path, cacheDir, fetch: hub });
  return {
    first: async () => void (await download()),
    repeated: async () => drain(setting, createReadStream(await download(), { highWaterMark: 1024 * 1024 })),
    clear: () => rm(cacheDir, { recursive: true, force: true }),
  };
};

/** unstorage's own filesystem driver with the whole image as one value: all of it in memory. */
export const unstorageFiles: OpenSubject = async (setting) => {
  const storage = createStorage({ driver: fsDriver({ base: join(setting.base, "unstorage") }) });
  return {
    async first(fileType) {
      await storage.setItemRaw(
        key,
        new Uint8Array(await (await fetchImage(setting, fileType)).arrayBuffer()),
      );
    },
    async repeated() {
      const bytes = await storage.getItemRaw<Uint8Array>(key);
      if (bytes?.length !== setting.upstream.imageBytes) throw new Error("The value came back short");
    },
    clear: () => storage.removeItem(key),
    close: () => storage.dispose(),
  };
};

type Pass = (pieces: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

async function toFile(
  setting: SubjectSetting,
  fileType: FileType,
  path: string,
  pass: Pass = (pieces) => pieces,
): Promise<void> {
  const { body } = await fetchImage(setting, fileType);
  await pipeline(pass(Readable.fromWeb(body! as never)), createWriteStream(path));
}

/** Moves bytes through a SHA-256, which must come out right. */
async function proven({ upstream }: SubjectSetting, move: (pass: Pass) => Promise<void>): Promise<void> {
  const hash = createHash("sha256");
  await move(async function* (pieces) {
    for await (const piece of pieces) {
      hash.update(piece);
      yield piece;
    }
  });
  if (hash.digest("hex") !== upstream.sha256) throw new Error("The bytes are not the image's");
}
