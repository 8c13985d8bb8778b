/** Hands out the chunks of a cached image as they lie in the store, and puts the manifest right if it says something else. */
import { inBackground, type ManagerContext } from "../context.ts";
import { eachOf } from "../each.ts";
import { StoreError } from "../errors.ts";
import type { CachedImage } from "../lookup/find-cached.ts";
import type { StoredImage } from "../manager-internals.ts";
import { inspectChunk, readUnchanged } from "../store/chunk-store.ts";
import { chunkLength, type Manifest } from "../store/manifest.ts";
import { ChunkUnavailable, readImage } from "../store/read-image.ts";
import type { StoredChunk } from "../store/stored-chunk.ts";
import { orStoreFault } from "../store-fault.ts";
import { noteStored } from "./note-stored.ts";

/** See {@link StoredImage}. */
export function openStored(context: ManagerContext, found: CachedImage): StoredImage {
  const { id, manifest } = found;
  const { size, chunkBytes, chunks, stored } = manifest;
  const open = (from: number, to: number) => {
    const reading = { ...manifest }; // as for any reader, its chunks stay until it is closed
    context.reading.set(reading, id);
    void orStoreFault(context, "write", () => context.uses.note(id));
    const values = readImage(context, manifest, from, to, (place, image, index, signal) =>
      readUnchanged(place, chunks[index]!, stored?.[index], chunkLength(image, index), signal),
    );
    return {
      next: () =>
        values.next().catch((failure: unknown) => Promise.reject(failureOf(context, found, failure))),
      close() {
        context.reading.delete(reading);
        values.close();
      },
    };
  };
  return { size, chunkBytes, chunks, stored, open };
}

function failureOf(context: ManagerContext, found: CachedImage, failure: unknown): unknown {
  if (!(failure instanceof ChunkUnavailable)) return failure;
  if (failure.cause !== undefined) return failure.cause;
  putRightSometime(context, found);
  return new StoreError(
    `Chunk ${failure.index} of ${found.id} does not lie in the store as its manifest says: the manifest is being put right`,
  );
}

/** Looks at every chunk of the image, unless that is being done. */
function putRightSometime(context: ManagerContext, { id, manifest }: CachedImage): void {
  const { describing } = context;
  if (describing.has(id)) return;
  describing.add(id);
  const work = orStoreFault(context, "read", async () => {
    await noteStored(context, id, manifest, await inspectAll(context, manifest));
  }).finally(() => describing.delete(id));
  void inBackground(context, work);
}

/** One at a time: nobody waits for it. */
async function inspectAll(context: ManagerContext, manifest: Manifest): Promise<Map<string, StoredChunk>> {
  const known = new Map<string, StoredChunk>();
  const look = async (index: number) => {
    context.closing.throwIfAborted();
    const digest = manifest.chunks[index]!;
    if (digest === null || known.has(digest)) return;
    const chunk = await inspectChunk(context, digest, chunkLength(manifest, index));
    if (chunk) known.set(digest, chunk);
  };
  await eachOf([...manifest.chunks.keys()], look, 1);
  return known;
}
