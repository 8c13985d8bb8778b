/**
 * The chunks of a cached image, for an edit. Those that the stream will need are lent by its reader, so that each is read and checked once.
 * A chunk that the store does not have is got as the stream itself would get it.
 */
import type { ManagerContext } from "../../context.ts";
import { ImageChangedError } from "../../errors.ts";
import { readChunk } from "../../store/chunk-store.ts";
import { chunkLength, type Manifest } from "../../store/manifest.ts";
import { ChunkUnavailable, type ImageReader } from "../../store/read-image.ts";
import { createHealer } from "../heal.ts";
import type { ResolvedGet } from "../resolved-get.ts";
import { type ChunkAccess, createForwardReader } from "./chunk-access.ts";

/** `reader`: the stream's, from which no chunk has been taken yet. */
export function accessCached(
  context: ManagerContext,
  get: ResolvedGet,
  manifest: Manifest,
  reader: ImageReader,
): ChunkAccess {
  const { chunkBytes, chunks, size } = manifest;
  const healer = createHealer(context, get, manifest, chunks.length);
  const healed = createForwardReader(healer.recover);

  const bytesOf = async (index: number): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    let failure = new ChunkUnavailable(index);
    try {
      const bytes = await readChunk(context, chunks[index]!, chunkLength(manifest, index), get.signal);
      if (bytes) return bytes;
    } catch (cause) {
      get.signal.throwIfAborted();
      failure = new ChunkUnavailable(index, { cause });
    }
    return healed.chunk(index, failure);
  };

  return {
    chunkBytes,
    size: async () => size,
    async lend(index) {
      const digest = chunks[index]!;
      if (digest === null) return { digest, bytes: undefined };
      const bytes = await reader.look(index);
      return bytes && { digest, bytes };
    },
    async chunk(index) {
      const bytes = await bytesOf(index);
      if (bytes) return { digest: chunks[index]!, bytes };
      throw new ImageChangedError(`The image ended before chunk ${index}`);
    },
    close() {
      healed.close();
      healer.close();
    },
  };
}
