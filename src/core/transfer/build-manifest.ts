/** Builds the manifest of a finished transfer. */
import type { ImageIdentity } from "../identity.ts";
import type { TransferWindow } from "../memory/window.ts";
import { imageDigest, type Manifest } from "../store/manifest.ts";
import { type StoredChunk, storedChunksOf } from "../store/stored-chunk.ts";
import type { UpstreamFile } from "../upstream/job.ts";
import { mimeOf } from "./transfer-head.ts";

/** What is known at a commit. */
export interface Finished {
  readonly identity: ImageIdentity;
  readonly window: TransferWindow;
  /** What is known of the chunks as they lie in the store. */
  readonly written: ReadonlyMap<string, StoredChunk>;
  readonly file: UpstreamFile;
  readonly now: number;
  /** The manifest that it replaces. */
  readonly previous: Manifest | undefined;
  /** Of the image as a file, if it was computed. */
  readonly sha256: string | undefined;
}

/** Describes what the window holds, all of it. */
export async function buildManifest({
  identity,
  window,
  written,
  file,
  now,
  ...rest
}: Finished): Promise<Manifest> {
  const content = { size: window.size, chunkBytes: window.chunkBytes, chunks: [...window.digests] };
  const stored = storedChunksOf(content.chunks, written);
  const digest = await imageDigest(content);
  const { previous } = rest;
  // The same content has the same one, whoever computed it.
  const sha256 = rest.sha256 ?? (previous?.digest === digest ? previous.sha256 : undefined);
  return {
    identity,
    mime: mimeOf(file),
    ...content,
    ...(stored && { stored }),
    digest,
    ...(sha256 !== undefined && { sha256 }),
    validators: file.response.validators,
    cameBy: file.parts ? "parts" : "file",
    createdAt: now,
    validatedAt: now,
    pinned: previous?.pinned ?? false,
  };
}
