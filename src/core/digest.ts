/** SHA-256 over bytes and strings, as lower-case hex. */
import type { HashedBytes } from "./types.ts";

/** Hashes chunks if the caller gives no hasher. */
export async function webHash(bytes: Uint8Array<ArrayBuffer>): Promise<HashedBytes> {
  return { sha256: await sha256Hex(bytes), bytes };
}

/** SHA-256 of bytes. Large inputs run off the main thread in Node, Bun and Deno, so several may be in flight. */
export async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return hexOf(await sha256Of(bytes));
}

async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** HMAC with SHA-256 (RFC 2104). */
export async function hmacSha256Hex(
  key: Uint8Array<ArrayBuffer>,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
  return hexOf(new Uint8Array(await crypto.subtle.sign(algorithm, imported, bytes)));
}

/** SHA-256 of a string's UTF-8 bytes. */
export function sha256HexOfText(text: string): Promise<string> {
  return sha256Hex(new TextEncoder().encode(text));
}

/** The same as its 32 bytes. */
export function sha256OfText(text: string): Promise<Uint8Array> {
  return sha256Of(new TextEncoder().encode(text));
}

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Lower case. */
export function hexOf(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += hexOfByte[byte];
  return hex;
}

/** Digest of each chunk; `null` for a chunk of zeros, which is not stored. */
export type ChunkDigests = readonly (string | null)[];
