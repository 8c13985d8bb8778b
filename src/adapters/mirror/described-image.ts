/** What a mirror says of an image, as the manager wants it: all digests, and a way to each chunk. */
import { bounds } from "../../core/bounds.ts";
import { isCount, isRecord } from "../../core/checks.ts";
import { ImageChangedError, InvalidArgumentError, UpstreamError } from "../../core/errors.ts";
import type { ImageChunks, ResolvedImage } from "../../core/types.ts";
import { parseRetryAfter } from "../../core/upstream/retry-after.ts";
import { sleep } from "../../core/waiting.ts";
import type { Answer, MirrorClient } from "./client.ts";
import { factsIn } from "./facts.ts";

/** Descriptions that are asked for with their ETag, so that one that has not changed costs no bytes. */
export type Described = Map<string, { readonly etag: string; readonly facts: Record<string, unknown> }>;

const maxDescribed = 8;
/** Between two questions whether the image has come to the mirror. */
const pauseMs = { least: 200, most: 10_000 } as const;

/** @throws {ImageManagerError} `INVALID_ARGUMENT` for an image that a mirror does not have, and what the mirror's refusal means. */
export async function describedImage(
  client: MirrorClient,
  sourceId: string,
  image: ResolvedImage,
  described: Described,
): Promise<ImageChunks> {
  const { deviceType, version, signal, onBytes } = image;
  const [path, query] = addressOf(image);
  const action = `get ${deviceType} ${version}`;
  const facts = await factsOf(client, sourceId, { ...image, action, path: `${path}${query}` }, described);
  const { size, chunkBytes, digests, mime, validators } = facts as unknown as ImageChunks;
  if (facts["deviceType"] !== deviceType || facts["version"] !== version)
    throw new UpstreamError("The mirror answered with another image", { unavailable: false });
  onBytes?.();
  signal?.throwIfAborted();
  return {
    ...{ size, chunkBytes, digests, mime, validators },
    async chunk(digest, options) {
      const maxBytes = isCount(chunkBytes) ? chunkBytes : 0;
      const question = { action, path: `${path}/chunks/${digest}${query}`, maxBytes, ...options };
      return (await client.ask(question).catch(gone)).bytes;
    },
  };
}

/** The image's path, and what follows it. */
function addressOf({ deviceType, version, variant }: ResolvedImage): [path: string, query: string] {
  const { imageType, fileType, scope: _, ...configured } = variant;
  const [name] = Object.keys(configured);
  if (name !== undefined)
    throw new InvalidArgumentError(
      `A mirror has no images with "${name}" of this kind: get the plain image, and lay the configuration over it with "edit"`,
    );
  const query = new URLSearchParams({ ...(imageType && { imageType }), ...(fileType && { fileType }) });
  const path = `/images/${deviceType}/${encodeURIComponent(version)}`;
  return [path, query.size > 0 ? `?${query}` : ""];
}

interface Wanted extends Pick<ResolvedImage, "deviceType" | "version" | "signal" | "onBytes"> {
  readonly action: string;
  readonly path: string;
}

async function factsOf(
  client: MirrorClient,
  sourceId: string,
  { deviceType, version, signal, onBytes, action, path }: Wanted,
  described: Described,
): Promise<Record<string, unknown>> {
  const known = described.get(path);
  const question = { action, path, maxBytes: bounds.manifestBytes, etag: known?.etag, signal, onBytes };
  for (;;) {
    const answer = await client.ask({ ...question, image: { deviceType, version } });
    if (answer.status === 304 && known) return known.facts;
    if (answer.status === 200) return remembered(answer, sourceId, path, described);
    // The mirror downloads it. That may take longer than one look-up: then the manager asks again.
    await sleep(pauseOf(answer.headers), signal);
  }
}

function remembered(
  { bytes, headers }: Answer,
  sourceId: string,
  path: string,
  described: Described,
): Record<string, unknown> {
  const facts = factsIn(bytes, sourceId);
  const etag = headers.get("etag");
  if (described.size >= maxDescribed) described.clear();
  if (etag && isRecord(facts)) described.set(path, { etag, facts });
  return facts;
}

function pauseOf(headers: Headers): number {
  const askedMs = parseRetryAfter(headers.get("retry-after"), headers.get("date")) ?? 0;
  return Math.min(pauseMs.most, Math.max(pauseMs.least, askedMs));
}

/** The mirror has another image by now. */
function gone(failure: unknown): never {
  if ((failure as { status?: number }).status !== 404) throw failure;
  throw new ImageChangedError("The mirror no longer has this chunk: its image of this version has changed", {
    cause: failure,
  });
}
