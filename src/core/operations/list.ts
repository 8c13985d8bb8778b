/** `list`: all cached images, and those on their way. */
import type { ManagerContext } from "../context.ts";
import { shareOf } from "../retention/accounting.ts";
import { ChunkCounts } from "../store/chunk-counts.ts";
import { bytesOf } from "../store/content.ts";
import type { StoredJournal } from "../store/inventory.ts";
import { identityInfo, toImageInfo } from "../store/manifest.ts";
import type { ImageInfo, PartialImageInfo } from "../types.ts";

/** See {@link ImageManager.list}. */
export async function* list(context: ManagerContext): AsyncGenerator<ImageInfo | PartialImageInfo> {
  context.closing.throwIfAborted();
  const { images, journals, usedAt } = await context.inventory();
  const counts = new ChunkCounts([...images.values()].map(({ content }) => content));
  for (const [id, manifest] of images) {
    const lastUsedAt = new Date(Math.max(manifest.createdAt, usedAt.get(id) ?? 0));
    yield { ...toImageInfo(id, manifest), lastUsedAt, ...shareOf(manifest.content, counts) };
  }
  for (const [id, journal] of journals) yield toPartialInfo(id, journal);
}

function toPartialInfo(id: string, { header, chunkCount, pieces }: StoredJournal): PartialImageInfo {
  const { identity, mime, size, chunkBytes, startedAt } = header;
  const transferredBytes = chunkCount * chunkBytes;
  return {
    id,
    ...identityInfo(identity),
    mime,
    isComplete: false,
    startedAt: new Date(startedAt),
    transferredBytes,
    keptWireBytes: bytesOf(pieces),
    ...(size !== undefined && { size, percent: size === 0 ? 100 : (100 * transferredBytes) / size }),
  };
}
