// Drains a stream: into its SHA-256, or into its bytes.
import { createHash } from "node:crypto";

/** What came out of a stream. */
export interface Collected {
  readonly bytes: number;
  readonly sha256: string;
  /** Length of each piece. */
  readonly pieces: readonly number[];
}

/** Reads a stream to its end. */
export async function collect(stream: ReadableStream<Uint8Array>): Promise<Collected> {
  const hash = createHash("sha256");
  const pieces: number[] = [];
  for await (const piece of stream) {
    hash.update(piece);
    pieces.push(piece.length);
  }
  return { bytes: pieces.reduce((sum, length) => sum + length, 0), sha256: hash.digest("hex"), pieces };
}

/** Reads a byte stream to its end into one buffer, again and again. */
export async function sha256ByOwnBuffer(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.getReader({ mode: "byob" });
  const hash = createHash("sha256");
  for (let buffer = new ArrayBuffer(100_000); ; ) {
    const { done, value } = await reader.read(new Uint8Array(buffer));
    if (done) return hash.digest("hex");
    hash.update(value);
    buffer = value.buffer;
  }
}

/** All bytes of a stream. */
export async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}

/** SHA-256 of bytes, in hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const [result] = await Promise.allSettled([promise]);
  if (result.status === "rejected") return result.reason;
  throw new Error("Expected a rejection, but it was fulfilled");
}

/** All that an async iterable yields. */
export async function arrayOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
