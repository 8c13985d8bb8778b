// Packs images into temporary files, once each: streaming a file is faster than anything this process could generate.
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { gzipFile, type RawFile } from "./gzip.ts";
import { zipParts } from "./zip.ts";

/** How an image lies in a file; `+gzip` is that file once more, under a gzip content coding. */
export type Packing = ".img" | ".gz" | ".zip" | ".gz+gzip" | ".zip+gzip";

/** A file that can be served. */
export interface PackedFile {
  readonly bytes: number;
  /** `end` exclusive, and after `start`. */
  read(start: number, end: number): Readable;
}

/** Makes files and deletes them. */
export interface PackedFiles {
  /** The file of an image, made on first use. */
  get(tag: string, raw: RawFile, packing: Packing, gzipMembers: number): Promise<PackedFile>;
  /** Stops what is being made and deletes everything. */
  close(): Promise<void>;
}

const readBytes = 1024 * 1024; // three times as fast as Node's 64 KiB
const pieceBytes = 4 * 1024 * 1024;

/** Files in a temporary directory of their own. */
export function createPackedFiles(): PackedFiles {
  const made = new Map<string, Promise<PackedFile>>();
  const closing = new AbortController();
  let directory: Promise<string> | undefined;

  const get: PackedFiles["get"] = (tag, raw, packing, gzipMembers) => {
    const name = [tag, packing.includes("z") ? gzipMembers : 1].join("-") + packing;
    const existing = made.get(name);
    if (existing !== undefined) return existing;
    directory ??= mkdtemp(join(tmpdir(), "balena-api-"));
    const other = (kind: Packing, members: number) => get(tag, raw, kind, members);
    const file = directory.then((base) =>
      write(join(base, name), contents(raw, packing, gzipMembers, other), closing.signal),
    );
    made.set(name, file);
    return file;
  };
  return {
    get,
    async close() {
      closing.abort();
      await Promise.allSettled(made.values());
      if (directory !== undefined) await rm(await directory, { recursive: true, force: true });
    },
  };
}

type Other = (packing: Packing, gzipMembers: number) => Promise<PackedFile>;

async function* contents(
  raw: RawFile,
  packing: Packing,
  members: number,
  other: Other,
): AsyncGenerator<Uint8Array> {
  if (packing === ".img") yield* rawPieces(raw);
  else if (packing === ".gz") yield* gzipFile(raw, members);
  else if (packing === ".zip") yield* zipFile(await other(".gz", 1));
  else yield* coded(await other(packing === ".gz+gzip" ? ".gz" : ".zip", members));
}

function* rawPieces(raw: RawFile): Generator<Uint8Array> {
  for (let at = 0; at < raw.bytes; at += pieceBytes) yield raw.read(at, Math.min(raw.bytes, at + pieceBytes));
}

async function* zipFile(gzip: PackedFile): AsyncGenerator<Uint8Array> {
  const trailer = Buffer.concat(await gzip.read(gzip.bytes - 8, gzip.bytes).toArray());
  const { head, tail, start, end } = zipParts("image.img", gzip.bytes, trailer);
  yield head;
  yield* gzip.read(start, end);
  yield tail;
}

async function* coded(file: PackedFile): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level: 1 });
  const piped = pipeline(file.read(0, file.bytes), gzip);
  yield* gzip;
  await piped;
}

async function write(
  path: string,
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<PackedFile> {
  await pipeline(pieces, createWriteStream(path, { mode: 0o600 }), { signal });
  const handle = await open(path);
  const { size } = await handle.stat();
  await handle.close();
  return {
    bytes: size,
    read: (start, end) => createReadStream(path, { start, end: end - 1, highWaterMark: readBytes }),
  };
}
