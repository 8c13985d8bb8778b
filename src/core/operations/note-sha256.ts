/** Computes the SHA-256 of stored images as files, from their chunks, and notes it in their manifests: a part of `verify`. */
import type { ManagerContext } from "../context.ts";
import { FileSha256 } from "../store/file-sha256.ts";
import { type Manifest, rewriteManifest } from "../store/manifest.ts";
import { orStoreFault } from "../store-fault.ts";

/** Does so if the manager is to know it, and the image has none or a wrong one. What the store refuses is left out. */
export async function noteSha256(
  context: ManagerContext,
  id: string,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  const { store } = context;
  const sha256 = await computed(context, manifest, signal);
  if (sha256 === undefined || sha256 === manifest.sha256) return;
  const note = () => rewriteManifest(store, id, manifest.digest, (current) => ({ ...current, sha256 }));
  await orStoreFault(context, "write", () => context.serially(note));
}

async function computed(
  context: ManagerContext,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { createSha256, emit } = context;
  if (!createSha256) return undefined;
  try {
    return await new FileSha256(createSha256).finish(context, manifest, () => signal.throwIfAborted());
  } catch (cause) {
    signal.throwIfAborted();
    emit({ type: "store-fault", operation: "sha256", cause });
    return undefined;
  }
}
