/** Whether a source's answer is an image in chunks, and one that can be. */
import { bounds } from "../bounds.ts";
import { isChunkDigests, isCount, isMediaType, isOptional, isRecord } from "../checks.ts";
import { isValidators } from "../freshness/validators.ts";
import type { ImageChunks } from "../types.ts";

/** More would not fit into a manifest. */
const maxChunks = 1_000_000;

export function isImageChunks(answer: unknown): answer is ImageChunks {
  if (!isRecord(answer) || typeof answer["chunk"] !== "function") return false;
  const { size, chunkBytes, digests, mime, validators } = answer;
  if (!isCount(size) || size === 0 || !isCount(chunkBytes)) return false;
  if (chunkBytes < bounds.leastChunkBytes || chunkBytes > bounds.chunkBytes) return false;
  const count = Math.ceil(size / chunkBytes);
  if (count > maxChunks || !Array.isArray(digests) || digests.length !== count) return false;
  return isChunkDigests(digests) && isOptional(isMediaType, mime) && isOptional(isSaid, validators);
}

const isSaid = (said: unknown) => isRecord(said) && isValidators({ fileType: ".gz", ...said });
