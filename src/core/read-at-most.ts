/** Reads a body up to a limit, so that the other side can't decide how much memory it takes. */

/** What was read of a body. */
export interface BoundedBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** It ended within the bound. */
  readonly isWhole: boolean;
}

/**
 * The first bytes of a body, decoded as `fetch` hands them out, so that a small answer that inflates to gigabytes is bounded too. What
 * comes after the bound is not waited for.
 *
 * @param watch.onBytes - Told whenever something came.
 * @param watch.signal - Closes the connection; what was read until then comes back as if it were all.
 */
export async function readAtMost(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  { onBytes, signal }: { onBytes?: (() => void) | undefined; signal?: AbortSignal | undefined } = {},
): Promise<BoundedBody> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const reader = body?.getReader();
  const cancel = () => void reader?.cancel().catch(() => undefined);
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    while (reader && length <= maxBytes) {
      const { done, value } = await reader.read();
      if (done) return { bytes: joined(pieces, length), isWhole: true };
      onBytes?.();
      pieces.push(value);
      length += value.length;
    }
  } finally {
    signal?.removeEventListener("abort", cancel);
    cancel();
  }
  return { bytes: joined(pieces, length).slice(0, maxBytes), isWhole: body === null };
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
