/** Opens the stream of a range of an opened image. */
import { isImageManagerError } from "../errors.ts";
import type { Span } from "../span.ts";
import type { GetOptions, ImageInfo, ImageStream } from "../types.ts";
import type { Representation } from "./headers.ts";
import { HttpProblem } from "./problem.ts";
import { type RangeSpec, resolveRange } from "./range.ts";

/** The image that a part is wanted of. */
export interface PartRequest {
  /** Open, and therefore keeping a transfer under way alive. */
  readonly whole: ImageStream;
  readonly range: RangeSpec;
  get(options: Pick<GetOptions, "range" | "cache">): Promise<ImageStream>;
  inspect(): Promise<ImageInfo | undefined>;
}

/** A stream of a part. */
export interface Part {
  readonly stream: ImageStream;
  readonly span: Span;
}

/**
 * Opens the part. `undefined` if the whole is to be served after all, as a server always may (RFC 9110, section 14.2):
 * the range can't be told from an unknown size, or the image is just being replaced by another.
 *
 * @throws {HttpProblem} 416
 */
export async function openPart(request: PartRequest): Promise<Part | undefined> {
  const { whole, range } = request;
  const placed =
    whole.size === undefined
      ? await placeInUnknown(request)
      : { span: resolveRange(range, whole.size), of: whole as Representation };
  if (!placed || placed.span === "whole") return undefined;
  if (placed.span === "unsatisfiable") throw unsatisfiable(placed.of.size);
  return openSpan(request, placed.span, placed.of);
}

function unsatisfiable(size: number | undefined): HttpProblem {
  return new HttpProblem(416, "The image has no such bytes.", { "content-range": `bytes */${size}` });
}

// The most that a client is made to wait for, and to catch up with, before its answer begins.
const maxAwaitedBytes = 64 * 1024 * 1024;

interface Placed {
  readonly span: ReturnType<typeof resolveRange>;
  readonly of: Representation;
}

/**
 * While the size is unknown (of a `.gz` until its end) a 206 must still not promise bytes that there may not be. So the last byte of
 * the range is awaited first; other ranges than short ones, of which both ends are said, have none or one too far away.
 */
async function placeInUnknown(request: PartRequest): Promise<Placed | undefined> {
  const { range, whole } = request;
  if ("suffixBytes" in range || range.last === undefined) return undefined;
  const span = { start: range.first, end: range.last + 1 };
  if (span.end - span.start > maxAwaitedBytes) return undefined;
  if (await hasByte(request, range.last)) return { span, of: whole };
  const info = await request.inspect(); // the transfer has ended: if it is cached, the size is known now
  return info && { span: resolveRange(range, info.size), of: info };
}

/** Asked for up to the end of the image, so that the answer "no" comes after the commit. */
async function hasByte(request: PartRequest, at: number): Promise<boolean> {
  const probe = await unlessBehindEnd(() => request.get({ range: { start: at } }));
  if (!probe) return false;
  const reader = probe.getReader();
  try {
    return (await unlessBehindEnd(() => reader.read()))?.done === false;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function openSpan(request: PartRequest, span: Span, of: Representation): Promise<Part | undefined> {
  // A cached image has just been checked. An image that is not cached has no ETag yet, and comes with the transfer that `whole` holds.
  const cache = of.etag === undefined ? "default" : "force-cache";
  const stream = await unlessBehindEnd(() => request.get({ range: span, cache }));
  if (!stream) return undefined;
  let isTaken = false;
  try {
    isTaken = isSame(of, stream);
    return isTaken
      ? { stream, span: { ...span, end: Math.min(span.end, stream.size ?? span.end) } }
      : undefined;
  } finally {
    if (!isTaken) await stream.cancel().catch(() => undefined);
  }
}

/** Between two looks an image may have been replaced, or have come to its end. */
function isSame(one: Representation, other: Representation): boolean {
  if (one.etag !== undefined && other.etag !== undefined) return one.etag === other.etag;
  const isSameSize = one.size === undefined || other.size === undefined || one.size === other.size;
  return isSameSize && one.lastModified?.getTime() === other.lastModified?.getTime();
}

async function unlessBehindEnd<T>(run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (failure) {
    if (isImageManagerError(failure) && failure.code === "INVALID_ARGUMENT") return undefined;
    throw failure;
  }
}
