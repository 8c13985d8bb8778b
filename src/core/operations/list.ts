/** `list`: all cached images, and those on their way. */
import type { ManagerContext } from "../context.ts";
import { chunkUses, shareOf } from "../retention/accounting.ts";
import type { StoredJournal } from "../store/inventory.ts";
import { identityInfo, toImageInfo } from "../store/manifest.ts";
import type { ImageInfo, PartialImageInfo } from "../types.ts";

/** See {@link ImageManager.list}. */
export async function* list(context: ManagerContext): AsyncGenerator<ImageInfo | PartialImageInfo> {
  context.closing.throwIfAborted();
  const { images, journals, usedAt } = await context.inventory();
  const uses = chunkUses(images.values());
  for (const [id, manifest] of images) {
    const lastUsedAt = new Date(Math.max(manifest.createdAt, usedAt.get(id) ?? 0));
    yield { ...toImageInfo(id, manifest), lastUsedAt, ...shareOf(manifest, uses) };
  }
  for (const [id, journal] of journals) yield toPartialInfo(id, journal);
}

function toPartialInfo(id: string, { header, chunks, pieces }: StoredJournal): PartialImageInfo {
  const { identity, mime, size, chunkBytes, startedAt } = header;
  const transferredBytes = chunks.length * chunkBytes;
  return {
    id,
    ...identityInfo(identity),
    mime,
    isComplete: false,
    startedAt: new Date(startedAt),
    transferredBytes,
    keptWireBytes: [...pieces.values()].reduce((sum, bytes) => sum + bytes, 0),
    ...(size !== undefined && { size, percent: size === 0 ? 100 : (100 * transferredBytes) / size }),
  };
}
