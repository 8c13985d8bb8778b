/** Builds the manifest of a finished transfer. */
import type { ImageIdentity } from "../identity.ts";
import type { TransferWindow } from "../memory/window.ts";
import { imageDigest, type Manifest } from "../store/manifest.ts";
import type { UpstreamFile } from "../upstream/job.ts";
import { mimeOf } from "./transfer-head.ts";

/** Describes what the window holds, all of it. */
export async function buildManifest(
  identity: ImageIdentity,
  window: TransferWindow,
  file: UpstreamFile,
  now: number,
): Promise<Manifest> {
  const content = { size: window.size, chunkBytes: window.chunkBytes, chunks: [...window.digests] };
  return {
    identity,
    mime: mimeOf(file),
    ...content,
    digest: await imageDigest(content),
    validators: file.response.validators,
    cameBy: file.parts ? "parts" : "file",
    createdAt: now,
    validatedAt: now,
    pinned: false,
  };
}
