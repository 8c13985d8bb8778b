/** Answers other managers: whose images these are, device types, versions, what an image consists of, and single chunks. */
import type { CachedChunks, ManagerInternals, PackedBytes } from "../../manager-internals.ts";
import { sleep } from "../../waiting.ts";
import { judgePreconditions } from "../conditions.ts";
import { cacheControl } from "../headers.ts";
import { jsonResponse } from "../json-response.ts";
import type { HandlerContext } from "../options.ts";
import { busy, HttpProblem } from "../problem.ts";
import type { TransferLimit } from "../transfer-limit.ts";
import { createTurns } from "./in-turn.ts";
import { packedResponse, takesPacked } from "./packed.ts";
import type { MirroredImage, MirrorRoute } from "./route.ts";

/** Answers what a mirror is asked. */
export type Mirror = (request: Request, route: MirrorRoute) => Promise<Response>;

/** How long an image that is not there yet is waited for at most. Then the client is told to ask again: it would take silence for a loss. */
const mostPatienceMs = 30_000;
/** Chunks that are read and packed at a time: each takes its memory twice. */
const chunksAtOnce = 4;
/** Images whose chunks are known without another look into the store. */
const maxRecent = 8;

interface MirrorContext extends HandlerContext {
  readonly internals: ManagerInternals;
  readonly limit: TransferLimit;
  readonly inTurn: ReturnType<typeof createTurns>;
  readonly recent: Map<string, CachedChunks>;
}

/** `limit`: of images that are got at a time. */
export function createMirror(context: HandlerContext, limit: TransferLimit): Mirror {
  const inTurn = createTurns(chunksAtOnce);
  const mirror = { ...context, internals: context.internals!, limit, inTurn, recent: new Map() };
  return async (request, route) => {
    const owner = await mirror.internals.owner(request.signal);
    const caching = (isImmutable: boolean) => ({
      "cache-control": cacheControl(context.authorize !== undefined || owner.scope !== null, isImmutable),
    });
    const told = async (facts: object, headers: Record<string, string> = {}) => {
      const bytes = new TextEncoder().encode(JSON.stringify({ source: owner.source, ...facts }));
      const plain = { bytes, isGzip: false };
      return packedResponse(request, plain, "application/json", { ...caching(false), ...headers });
    };
    if (route.kind === "owner") return told({ scope: owner.scope });
    if (route.kind === "chunk") return answerChunk(mirror, request, route, caching(true));
    if (route.kind === "image") return answerDescription(mirror, request, route.image, told);
    if (route.kind === "device-type")
      return told({ deviceType: await mirror.internals.slugOf(route.name, request.signal) });
    const { deviceType, includeDrafts } = route;
    const { signal } = request;
    return told({ versions: await mirror.manager.versions(deviceType, { includeDrafts, signal }) });
  };
}

/** The image is got and confirmed as any other first, so that its freshness is the mirror's to judge. */
async function answerDescription(
  context: MirrorContext,
  request: Request,
  image: MirroredImage,
  told: (facts: object, headers?: Record<string, string>) => Promise<Response>,
): Promise<Response> {
  const isReady = await isDoneWithin(patienceOf(request), getReady(context, image), request.signal);
  if (!isReady)
    return jsonResponse(request, { status: "downloading" }, 202, {
      "cache-control": "no-store",
      "retry-after": "1",
    });
  const cached = await chunksOf(context, image);
  if (!cached) throw new HttpProblem(503, "The mirror could not keep the image.", { "retry-after": "5" });
  const etag = `W/"${cached.digest}"`; // packed or not, it says the same
  if (judgePreconditions(request.headers, { etag }) === "not-modified")
    return new Response(null, { status: 304, headers: { etag } });
  const { size, chunkBytes, chunks: digests, mime, validators } = cached;
  const { etag: upstreams, lastModified, date, size: bytes, fileType } = validators;
  const said = { etag: upstreams, lastModified, date, size: bytes, fileType };
  return told({ ...image, size, chunkBytes, digests, mime, validators: said }, { etag });
}

/** Goes on if the client leaves: it is going to ask again. */
function getReady({ manager, limit, waitUntil }: MirrorContext, image: MirroredImage): Promise<unknown> {
  const release = limit();
  if (!release) throw busy();
  const { deviceType, version, variant } = image;
  const getting = manager.prefetch(deviceType, version, variant).finally(release);
  waitUntil?.(getting.catch(() => undefined));
  return getting;
}

/** RFC 7240, section 4.3. */
function patienceOf({ headers }: Request): number {
  const [, seconds] = /(?:^|[,;])\s*wait=(\d{1,6})/.exec(headers.get("prefer") ?? "") ?? [];
  return Math.min(mostPatienceMs, Number(seconds ?? 5) * 1000);
}

async function isDoneWithin(timeMs: number, work: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  const over = new AbortController();
  const late = sleep(timeMs, AbortSignal.any([over.signal, signal])).then(() => false);
  late.catch(() => undefined);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    work.catch(() => undefined);
    over.abort();
  }
}

/** Read anew each time: another image may have taken its place. */
async function chunksOf(
  { internals, recent }: MirrorContext,
  { deviceType, version, variant }: MirroredImage,
): Promise<CachedChunks | undefined> {
  const cached = await internals.chunksOf(deviceType, version, variant);
  const key = JSON.stringify([deviceType, version, variant]);
  recent.delete(key);
  if (cached) recent.set(key, cached);
  for (const oldest of recent.keys()) if (recent.size > maxRecent) recent.delete(oldest);
  return cached;
}

async function answerChunk(
  context: MirrorContext,
  request: Request,
  { image, digest }: Extract<MirrorRoute, { kind: "chunk" }>,
  headers: Record<string, string>,
): Promise<Response> {
  const { deviceType, version, variant } = image;
  const known = context.recent.get(JSON.stringify([deviceType, version, variant]));
  const cached = known?.chunks.includes(digest) ? known : await chunksOf(context, image);
  const index = cached?.chunks.indexOf(digest) ?? -1;
  // Only chunks of images that can be got here: a store may be shared with others.
  if (!cached || index === -1) throw new HttpProblem(404, "The image has no such chunk.");
  return context.inTurn(async () => {
    request.signal.throwIfAborted(); // it may have left while others had their turn
    const chunk = await chunkOf(context, image, cached, index, request);
    return packedResponse(request, chunk, "application/octet-stream", headers);
  });
}

/** A chunk that the store has lost is got as a reader of the image gets it: that mends it. */
async function chunkOf(
  { manager, internals }: MirrorContext,
  { deviceType, version, variant }: MirroredImage,
  { chunks, chunkBytes, size }: CachedChunks,
  index: number,
  request: Request,
): Promise<PackedBytes> {
  const { signal } = request;
  const start = index * chunkBytes;
  const end = Math.min(start + chunkBytes, size);
  const length = end - start;
  const stored = await internals.readPackedChunk(chunks[index]!, length, signal).catch(() => undefined);
  if (stored && (!stored.isGzip || takesPacked(request))) return stored;
  const options = { ...variant, range: { start, end }, cache: "force-cache", signal } as const;
  const stream = await manager.get(deviceType, version, options);
  return { bytes: new Uint8Array(await new Response(stream).arrayBuffer()), isGzip: false };
}
