/**
 * Inflates a gzip file of one or several members, which zeros may follow, with a web `DecompressionStream`.
 *
 * Most call the next member junk (Node since 24, Bun, Deno, workerd), and none tells at which byte a member ended. So each
 * place that looks like the start of a member is checked: it is one if the four bytes before it (ISIZE, RFC 1952) equal
 * what has been inflated. A chance match takes 2^-59; it would end in an error, not in wrong bytes.
 */
import { TruncatedDownloadError, UpstreamError } from "../errors.ts";
import { foreignError } from "../foreign-error.ts";
import { concat } from "./concat.ts";
import { createMemberQueue, type Inflater, leastMemberBytes } from "./gzip-member.ts";
import { isGzip, splitMembers } from "./split-members.ts";

type Bytes = Uint8Array<ArrayBufferLike>;

/**
 * Yields the inflated bytes; a piece is good until the next is asked for. A file that ends early is `TRUNCATED_DOWNLOAD`, one that is
 * no gzip `UPSTREAM`. Zeros after the end are padding, as GNU gzip takes them; other bytes there are `UPSTREAM`.
 */
export async function* inflateGzip(file: AsyncIterable<Bytes>, inflater: Inflater): AsyncGenerator<Bytes> {
  const members = createMemberQueue(inflater);
  const input = watch(file);
  const feeding = splitMembers(input.pieces(), members);
  feeding.catch(() => undefined); // it is looked at below, when the members end
  try {
    for await (const member of members.all()) yield* member.output();
    await feeding;
  } catch (failure) {
    const isPastEnd = isGzip(input.start) && members.isPastEnd(failure);
    if (isPastEnd && input.failure === undefined) throw afterTheEnd(failure);
    throw input.failure ?? translate(failure, input.isRead && mayBeGzip(input.start), input.bytes);
  } finally {
    members.abort();
  }
  // Some inflaters take no bytes at all for a sound file.
  if (input.bytes < leastMemberBytes) throw translate(undefined, true, input.bytes);
}

const mayBeGzip = (start: Bytes) => start.length < 2 || isGzip(start);

/** It came with the file: asking again would bring the same. */
function afterTheEnd(failure: unknown): UpstreamError {
  const message = "The download has other bytes after the end of the gzip file";
  return new UpstreamError(message, { unavailable: false }, { cause: foreignError(failure) });
}

function translate(failure: unknown, isCutShort: boolean, fileBytes: number): Error {
  const cause = foreignError(failure);
  if (isCutShort)
    return new TruncatedDownloadError("The gzip file ended before the image did", fileBytes, undefined, {
      cause,
    });
  // A later attempt may get valid bytes, so it counts as "unavailable".
  return new UpstreamError("The download is not a valid gzip file", { unavailable: true }, { cause });
}

/** Keeps apart what goes wrong with the file from what goes wrong with inflating it. */
function watch(file: AsyncIterable<Bytes>) {
  return {
    bytes: 0,
    start: new Uint8Array(0) as Bytes,
    isRead: false,
    failure: undefined as unknown,
    async *pieces(): AsyncGenerator<Bytes> {
      try {
        for await (const piece of file) {
          if (this.start.length < 2) this.start = concat(this.start, piece.slice(0, 2));
          this.bytes += piece.length;
          yield piece;
        }
        this.isRead = true;
      } catch (failure) {
        this.failure = failure;
        throw failure;
      }
    },
  };
}
