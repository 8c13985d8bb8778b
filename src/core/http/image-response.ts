/** GET and HEAD of `/images/:deviceType/:versionOrRange`, and POST if images may be edited. */
import type { ImageIdentity } from "../identity.ts";
import type { Span } from "../span.ts";
import type { GetOptions, ImageEdit, ImageInfo, ImageStream } from "../types.ts";
import type { Asked } from "./asked.ts";
import { emptyBody, openBody } from "./body.ts";
import { answerCompanion, type Companion, isOfVariant } from "./companion-response.ts";
import { isRangeCurrent, judgePreconditions, type Verdict } from "./conditions.ts";
import { editOf } from "./edit.ts";
import {
  type Caching,
  cacheControl,
  imageHeaders,
  type Representation,
  validatorHeaders,
} from "./headers.ts";
import { openPart, type Part } from "./open-part.ts";
import type { HandlerContext } from "./options.ts";
import { busy, HttpProblem } from "./problem.ts";
import { parseRange } from "./range.ts";
import type { ImageRoute } from "./route.ts";
import type { TransferLimit } from "./transfer-limit.ts";

/** One request of one exact image. */
interface Exchange {
  readonly context: HandlerContext;
  readonly request: Request;
  readonly route: ImageRoute;
  readonly isPrivate: boolean;
  readonly edit?: ImageEdit | undefined;
}

/** Answers with the image, or says where it is. */
export async function answerImage(
  context: HandlerContext,
  limit: TransferLimit,
  asked: Asked,
  route: ImageRoute,
): Promise<Response> {
  const { request } = asked;
  const identity = await identify(context, request, route);
  const isPrivate = context.authorize !== undefined || identity.scope !== null;
  const isExact = identity.deviceType === route.deviceType && identity.version === route.wanted;
  if (!isExact && request.method !== "POST") return redirect(request, identity, isPrivate, route.companion);
  const exact = { ...route, deviceType: identity.deviceType, wanted: identity.version };
  const exchange = { context, request, route: exact, isPrivate };
  if (route.companion) return answerCompanionOf(exchange, asked, route.companion, limit);
  const release = request.method === "HEAD" ? () => {} : limit();
  if (!release) return answerBusy(exchange);
  try {
    return await answerEdited(exchange, asked, release);
  } catch (failure) {
    release();
    throw failure;
  }
}

/** What is said about the plain image is not true of an edited one. */
async function answerCompanionOf(
  exchange: Exchange,
  asked: Asked,
  companion: Companion,
  limit: TransferLimit,
): Promise<Response> {
  const { context, request, route, isPrivate } = exchange;
  const edit = await editOf(context, asked);
  if (edit instanceof Response) return edit;
  if (edit) throw new HttpProblem(404, "An edited image has no such file.");
  if (companion === "gz") {
    const { answerGz } = await import("./gz/gz-response.ts"); // few servers need it
    return answerGz({ context, request, route, isPrivate, limit });
  }
  return answerCompanion(context, request, companion, { ...route, version: route.wanted }, isPrivate);
}

async function answerEdited(exchange: Exchange, asked: Asked, release: () => void): Promise<Response> {
  const edit = await editOf(exchange.context, asked);
  if (edit instanceof Response) {
    release();
    return edit;
  }
  if (exchange.request.method === "HEAD") return answerHead({ ...exchange, edit });
  return answerGet({ ...exchange, edit }, release);
}

type Named = Pick<ImageIdentity, "deviceType" | "version" | "scope">;

/** A manager that is not ours knows no canonical slug, and is served with `authorize` alone: then all is private anyway. */
async function identify(
  { manager, internals }: HandlerContext,
  request: Request,
  route: ImageRoute,
): Promise<Named> {
  const { deviceType, wanted, variant } = route;
  const { signal } = request;
  if (internals) return internals.identify(deviceType, wanted, { ...variant, signal });
  return { deviceType, version: await manager.resolve(deviceType, wanted, { signal }), scope: null };
}

/** Relative, so that it holds under any base path, and behind a proxy that takes a part of the path away. */
function redirect(
  request: Request,
  { deviceType, version }: Named,
  isPrivate: boolean,
  companion?: Companion,
): Response {
  const image = [deviceType, version].map(encodeURIComponent).join("/");
  const path = companion ? `../${image}/${companion}` : image;
  const location = `../${path}${new URL(request.url).search}`;
  return new Response(null, { status: 302, headers: { location, "cache-control": cacheControl(isPrivate) } });
}

/** Answers from the cache, which may know nothing. The upstream is not asked for the image, and no transfer begins. */
async function answerHead(exchange: Exchange): Promise<Response> {
  const { request, route } = exchange;
  const { deviceType, wanted: version, variant } = route;
  const info = await inspect(exchange);
  const image = info ? representationOf(exchange, info) : { deviceType, version };
  const verdict = judgePreconditions(request.headers, image);
  if (verdict !== "proceed") return answerVerdict(verdict, exchange, image);
  const body = image.size === undefined ? emptyBody() : null;
  return new Response(body, { headers: imageHeaders(image, variant, cachingOf(exchange, image)) });
}

/** What the cache knows of an image from which the one that was asked for only follows: not its validators. */
function representationOf({ edit, route }: Exchange, info: ImageInfo): Representation {
  if (isOfVariant(info, route.variant) && !edit) return info;
  const { deviceType, version, mime, size } = info;
  return { deviceType, version, mime, size, edited: "repeatable" };
}

/** An image that somebody has configured is nobody else's. */
function cachingOf({ edit, request, isPrivate }: Exchange, { edited }: Representation): Caching {
  if (edit || request.method === "POST" || edited === "new-each-time") return "nobody";
  return isPrivate || edited ? "the client" : "anybody";
}

/** A store that fails is no reason to refuse what can be had without it. */
async function inspect({ context, request, route }: Exchange): Promise<ImageInfo | undefined> {
  try {
    return await context.manager.inspect(route.deviceType, route.wanted, route.variant);
  } catch (failure) {
    context.report(failure, request);
    return undefined;
  }
}

/** A client that has the cached copy can be told so in any case. */
async function answerBusy(exchange: Exchange): Promise<Response> {
  if (exchange.context.edit) throw busy();
  const answer = await answerHead(exchange);
  if (answer.status === 304) return answer;
  throw busy();
}

/** What is said of the image is taken from the very stream that is served: the cached copy may be replaced at any time. */
async function answerGet(exchange: Exchange, release: () => void): Promise<Response> {
  const whole = await openImage(exchange, {});
  let served: ImageStream | undefined;
  try {
    const isPost = exchange.request.method === "POST";
    const verdict = isPost ? "proceed" : judgePreconditions(exchange.request.headers, whole);
    if (verdict !== "proceed") {
      release();
      return answerVerdict(verdict, exchange, whole);
    }
    const part = await partOf(exchange, whole);
    served = part?.stream ?? whole;
    return await send(exchange, served, part?.span, release);
  } finally {
    // Nothing is read of it: it goes, and a transfer that nobody else reads goes with it.
    if (served !== whole) await whole.cancel().catch(() => undefined);
  }
}

function openImage({ context, request, route, edit }: Exchange, options: GetOptions): Promise<ImageStream> {
  const { manager, waitUntil } = context;
  const { deviceType, wanted, variant } = route;
  return manager.get(deviceType, wanted, {
    ...variant,
    signal: request.signal,
    waitUntil,
    ...(edit && { edit }),
    ...options,
  });
}

async function partOf(exchange: Exchange, whole: ImageStream): Promise<Part | undefined> {
  const { headers, method } = exchange.request;
  const range =
    method !== "POST" && isRangeCurrent(headers, whole) ? parseRange(headers.get("range")) : undefined;
  if (!range) return undefined;
  const get = (options: GetOptions) => openImage(exchange, options);
  return openPart({ whole, range, get, inspect: () => inspect(exchange) });
}

async function send(
  exchange: Exchange,
  stream: ImageStream,
  span: Span | undefined,
  release: () => void,
): Promise<Response> {
  const { context, request, route } = exchange;
  const bytes = span ? span.end - span.start : stream.size;
  const body = await openBody(stream, bytes, ({ failure }) => {
    release();
    if (failure !== undefined && !request.signal.aborted) context.report(failure, request);
  });
  try {
    const image = request.method === "POST" ? unrepeatable(stream) : stream;
    const headers = imageHeaders(image, route.variant, cachingOf(exchange, image), span);
    return new Response(body, { status: span ? 206 : 200, headers });
  } catch (failure) {
    // An image that can't be described (for example, of a manager that is not ours) must not leave its stream open.
    await body.cancel(failure).catch(() => undefined);
    throw failure;
  }
}

/** The answer to a POST is nothing that could be asked for again, or in parts. */
function unrepeatable({ deviceType, version, mime, size }: ImageStream): Representation {
  return { deviceType, version, mime, ...(size !== undefined && { size }), edited: "new-each-time" };
}

function answerVerdict(
  verdict: Exclude<Verdict, "proceed">,
  exchange: Exchange,
  image: Representation,
): Response {
  if (verdict === "failed") throw new HttpProblem(412, "The image is not the one that was asked for.");
  return new Response(null, { status: 304, headers: validatorHeaders(image, cachingOf(exchange, image)) });
}
