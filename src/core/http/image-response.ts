/** GET and HEAD of `/images/:deviceType/:versionOrRange`. */
import type { ImageIdentity } from "../identity.ts";
import type { Span } from "../span.ts";
import type { GetOptions, ImageInfo, ImageStream } from "../types.ts";
import { emptyBody, openBody } from "./body.ts";
import { answerCompanion, type Companion } from "./companion-response.ts";
import { isRangeCurrent, judgePreconditions, type Verdict } from "./conditions.ts";
import { cacheControl, imageHeaders, type Representation, validatorHeaders } from "./headers.ts";
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
}

/** Answers with the image, or says where it is. */
export async function answerImage(
  context: HandlerContext,
  limit: TransferLimit,
  request: Request,
  route: ImageRoute,
): Promise<Response> {
  const identity = await identify(context, request, route);
  const isPrivate = context.authorize !== undefined || identity.scope !== null;
  if (identity.deviceType !== route.deviceType || identity.version !== route.wanted)
    return redirect(request, identity, isPrivate, route.companion);
  const { companion, wanted: version } = route;
  if (companion) return answerCompanion(context, request, companion, { ...route, version }, isPrivate);
  const exchange = { context, request, route, isPrivate };
  if (request.method === "HEAD") return answerHead(exchange);
  const release = limit();
  if (!release) return answerBusy(exchange);
  try {
    return await answerGet(exchange, release);
  } catch (failure) {
    release();
    throw failure;
  }
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
  const { request, route, isPrivate } = exchange;
  const { deviceType, wanted: version, variant } = route;
  const image: Representation = (await inspect(exchange)) ?? { deviceType, version };
  const verdict = judgePreconditions(request.headers, image);
  if (verdict !== "proceed") return answerVerdict(verdict, image, isPrivate);
  const body = image.size === undefined ? emptyBody() : null;
  return new Response(body, { headers: imageHeaders(image, variant, isPrivate) });
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
  const answer = await answerHead(exchange);
  if (answer.status === 304) return answer;
  throw busy();
}

/** What is said of the image is taken from the very stream that is served: the cached copy may be replaced at any time. */
async function answerGet(exchange: Exchange, release: () => void): Promise<Response> {
  const whole = await openImage(exchange, {});
  let served: ImageStream | undefined;
  try {
    const verdict = judgePreconditions(exchange.request.headers, whole);
    if (verdict !== "proceed") {
      release();
      return answerVerdict(verdict, whole, exchange.isPrivate);
    }
    const part = await partOf(exchange, whole);
    served = part?.stream ?? whole;
    return await send(exchange, served, part?.span, release);
  } finally {
    // Nothing is read of it: it goes, and a transfer that nobody else reads goes with it.
    if (served !== whole) await whole.cancel().catch(() => undefined);
  }
}

function openImage({ context, request, route }: Exchange, options: GetOptions): Promise<ImageStream> {
  const { manager, waitUntil } = context;
  const { deviceType, wanted, variant } = route;
  return manager.get(deviceType, wanted, { ...variant, signal: request.signal, waitUntil, ...options });
}

async function partOf(exchange: Exchange, whole: ImageStream): Promise<Part | undefined> {
  const { headers } = exchange.request;
  const range = isRangeCurrent(headers, whole) ? parseRange(headers.get("range")) : undefined;
  if (!range) return undefined;
  const get = (options: GetOptions) => openImage(exchange, options);
  return openPart({ whole, range, get, inspect: () => inspect(exchange) });
}

async function send(
  { context, request, route, isPrivate }: Exchange,
  stream: ImageStream,
  span: Span | undefined,
  release: () => void,
): Promise<Response> {
  const bytes = span ? span.end - span.start : stream.size;
  const body = await openBody(stream, bytes, ({ failure }) => {
    release();
    if (failure !== undefined && !request.signal.aborted) context.report(failure, request);
  });
  try {
    const headers = imageHeaders(stream, route.variant, isPrivate, span);
    return new Response(body, { status: span ? 206 : 200, headers });
  } catch (failure) {
    // An image that can't be described (for example, of a manager that is not ours) must not leave its stream open.
    await body.cancel(failure).catch(() => undefined);
    throw failure;
  }
}

function answerVerdict(
  verdict: Exclude<Verdict, "proceed">,
  image: Representation,
  isPrivate: boolean,
): Response {
  if (verdict === "failed") throw new HttpProblem(412, "The image is not the one that was asked for.");
  return new Response(null, { status: 304, headers: validatorHeaders(image, isPrivate) });
}
