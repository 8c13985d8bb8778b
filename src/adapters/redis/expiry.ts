/**
 * How long a value lives if values expire. Chunks live longer than the images and journals that name them. An image's time starts with its
 * commit. A later write of its manifest does not extend it, because nothing would extend the time of its chunks.
 */

const hourMs = 60 * 60 * 1000;

/** A transfer that was broken off can be taken up again for this long. */
const partialMs = 12 * hourMs;

/** Time that a chunk lives on: as long as a partial may wait, and as long as its second half may take. */
const chunkMarginMs = 2 * partialMs;

/**
 * Milliseconds that a value written now may live.
 *
 * @param leftMs - Asks how long the one that it replaces has left; not positive if there is none, or no limit.
 */
export async function lifetimeMs(
  key: string,
  expireAfterMs: number,
  leftMs: () => Promise<number>,
): Promise<number> {
  switch (kindOf(key)) {
    case "chunks":
      return expireAfterMs + chunkMarginMs;
    case "partials":
      return partialMs;
    case "images": {
      const left = await leftMs();
      return left > 0 ? Math.min(left, expireAfterMs) : expireAfterMs;
    }
    default:
      return expireAfterMs;
  }
}

/** The folder of format `v1` that the key is in. The last one counts: a prefix may look like one as well. */
function kindOf(key: string): string | undefined {
  return /^(?:.*:)?v1:(chunks|partials|images):/s.exec(key)?.[1];
}
