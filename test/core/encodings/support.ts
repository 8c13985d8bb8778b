// What the tests of encodings work with: each encoding, what lies in a store, and what its manifest says of it.
import { createHash } from "node:crypto";
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { gzipEncoding, zstdEncoding } from "../../../src/adapters/node/index.ts";
import {
  type ChunkEncoding,
  type StoreDriver,
  gzipEncoding as webGzipEncoding,
} from "../../../src/core/index.ts";
import type { StoredChunk } from "../../../src/core/store/stored-chunk.ts";
import { keysOf, read, readJson, write } from "../../support/stored-values.ts";

/** Every encoding, by the name that a test has for it. */
export const encodings: readonly (readonly [string, () => ChunkEncoding])[] = [
  ["gzip of the web platform", webGzipEncoding],
  ["gzip of Node", gzipEncoding],
  ["zstd", zstdEncoding],
];

export type Form = "raw" | "gzip" | "zstd";

/** How a value lies. */
export function formOf(value: Uint8Array): Form {
  if (value[0] === 0x1f && value[1] === 0x8b) return "gzip";
  return value[0] === 0x28 && value[1] === 0xb5 ? "zstd" : "raw";
}

/** A value as it was before it was encoded. */
export function rawOf(value: Uint8Array): Uint8Array {
  const form = formOf(value);
  if (form === "raw") return value;
  return form === "gzip" ? gunzipSync(value) : zstdDecompressSync(value);
}

/** Encodes a stored value in another way, behind the manager's back. */
export async function recode(storage: StoreDriver, key: string, form: Form): Promise<void> {
  const raw = rawOf(await read(storage, key));
  const value = { raw: () => raw, gzip: () => gzipSync(raw), zstd: () => zstdCompressSync(raw) }[form]();
  await write(storage, key, new Uint8Array(value));
}

/** Forms of all chunks in a store. */
export async function formsIn(storage: StoreDriver): Promise<Set<Form>> {
  const keys = await keysOf(storage, "chunks");
  return new Set(await Promise.all(keys.map(async (key) => formOf(await read(storage, key)))));
}

/** Bytes of all chunks in a store. */
export async function bytesIn(storage: StoreDriver): Promise<number> {
  const keys = await keysOf(storage, "chunks");
  const lengths = await Promise.all(keys.map(async (key) => (await read(storage, key)).length));
  return lengths.reduce((sum, bytes) => sum + bytes, 0);
}

const sha256 = (value: Uint8Array) => createHash("sha256").update(value).digest("hex");

/** What an image's manifest says of its chunks, and what is true of them. */
export async function toldAndTrue(storage: StoreDriver, id: string) {
  const { chunks, stored } = (await readJson(storage, `balena-images:v1:images:${id}`)) as {
    chunks: (string | null)[];
    stored?: (StoredChunk | null)[];
  };
  const truth = async (digest: string | null) => {
    if (digest === null) return null;
    const value = await read(storage, `balena-images:v1:chunks:${digest.slice(0, 2)}:${digest}`);
    return { bytes: value.length, ...(formOf(value) !== "raw" && { sha256: sha256(value) }) };
  };
  const told = stored?.map((chunk) => {
    const { crc32: _, ...rest } = chunk ?? {};
    return chunk && rest;
  });
  return { told, true: await Promise.all(chunks.map(truth)), stored };
}
