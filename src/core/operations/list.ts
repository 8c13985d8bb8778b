/** `list`: all cached images. */
import type { ManagerContext } from "../context.ts";
import { folders } from "../store/keys.ts";
import { readManifest, toImageInfo } from "../store/manifest.ts";
import type { ImageInfo } from "../types.ts";

/** See {@link ImageManager.list}. */
export async function* list(context: ManagerContext): AsyncGenerator<ImageInfo> {
  context.closing.throwIfAborted();
  for (const key of await context.store.list(folders.images)) {
    const id = key.slice(folders.images.length);
    const manifest = await readManifest(context.store, id);
    if (manifest) yield toImageInfo(id, manifest);
  }
}
