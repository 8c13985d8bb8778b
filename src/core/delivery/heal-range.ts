/**
 * Fetches a run of damaged chunks again. No validator is needed: every chunk is checked against the manifest, so bytes of another image
 * can't pass.
 */
import type { ManagerContext } from "../context.ts";
import { sha256Hex } from "../digest.ts";
import { UpstreamError } from "../errors.ts";
import { writeChunk } from "../store/chunk-store.ts";
import { chunkLength, type Manifest } from "../store/manifest.ts";
import type { ChunkSource } from "../store/read-image.ts";
import { orStoreFault } from "../store-fault.ts";
import type { HealSource } from "./heal-source.ts";

/** Chunks that come from the upstream. */
export interface FetchedChunks extends ChunkSource {
  /** How many of them the store has taken. */
  rewritten(): number;
}

/** Chunks `from` to `to` (exclusive), rewritten as they come. Rejects if the source does not hand them out. */
export async function fetchChunks(
  context: ManagerContext,
  manifest: Manifest,
  source: HealSource,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<FetchedChunks> {
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  const toByte = Math.min(to * manifest.chunkBytes, manifest.size);
  const pieces = await source.read(from * manifest.chunkBytes, toByte, stopped);
  let rest: Uint8Array = new Uint8Array(0);
  let index = from;
  let rewritten = 0;

  const fill = async (chunk: Uint8Array): Promise<void> => {
    for (let filled = 0; filled < chunk.length; ) {
      if (rest.length === 0) rest = await nextPiece(pieces);
      const part = rest.subarray(0, chunk.length - filled);
      chunk.set(part, filled);
      filled += part.length;
      rest = rest.subarray(part.length);
    }
  };

  return {
    async next() {
      if (index >= to) return undefined;
      const digest = manifest.chunks[index] as string;
      const chunk = new Uint8Array(chunkLength(manifest, index));
      await fill(chunk);
      if ((await sha256Hex(chunk)) !== digest)
        throw new UpstreamError("The range has different bytes", { unavailable: false });
      index += 1;
      // A store that does not take the chunk does not keep it from the reader, whose buffer no write may still use.
      await orStoreFault(context, "write", async () => {
        await writeChunk(context, digest, chunk.slice());
        rewritten += 1;
      });
      return chunk;
    },
    close: () => stop.abort(),
    rewritten: () => rewritten,
  };
}

async function nextPiece(pieces: AsyncGenerator<Uint8Array>): Promise<Uint8Array> {
  const { done, value } = await pieces.next();
  if (done) throw new UpstreamError("The range ended early");
  return value;
}
