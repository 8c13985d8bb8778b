/** `createImageHandler`: turns every Request into a Response, also if the request is malformed or something fails. */
import { foreignError } from "../foreign-error.ts";
import type { ImageManager } from "../types.ts";
import { asked } from "./asked.ts";
import { answerImage } from "./image-response.ts";
import { jsonResponse } from "./json-response.ts";
import { answerImages, answerVersions } from "./list-response.ts";
import { createMirror, type Mirror } from "./mirror/answer.ts";
import { checkedHandlerOptions, type HandlerContext, type ImageHandlerOptions } from "./options.ts";
import { busy, HttpProblem, problemOf, problemResponse } from "./problem.ts";
import { routeOf } from "./route.ts";
import { createTransferLimit, type TransferLimit } from "./transfer-limit.ts";

/** Answers one request. Never rejects. */
export type ImageHandler = (request: Request) => Promise<Response>;

/**
 * Creates a handler that serves a manager's images over HTTP. It fits `Bun.serve`, `Deno.serve`, a Worker's `fetch` and Hono routes;
 * `requestListener` of `/node` makes it fit Express and others.
 *
 * It answers GET and HEAD of `/images/:deviceType/:versionOrRange` (query: `developmentMode`, `imageType`, `fileType`), the image's `/sha256`
 * `/bmap` and `/gz` under that path, `/images`, `/versions/:deviceType` and `/healthz`. It supports conditional requests and single ranges of RFC 9110. Failures are answered as
 * `application/problem+json`. `docs/serving.md` has the details.
 *
 * @throws `INVALID_ARGUMENT` if an option is out of range, or if there is no `authorize` and the manager has no `maxBytes`.
 *
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
 * import { memoryAdapter } from "balena-image-manager/adapters/memory";
 * import { createImageHandler } from "balena-image-manager/http";
 *
 * const images = createImageManager({ source: balenaApiSource(), storage: memoryAdapter(), maxBytes: 20e9 });
 * const handler = createImageHandler(images, { onError: console.error }); // Deno.serve(handler), Bun.serve({ fetch: handler })
 * const response = await handler(new Request("http://localhost/images/raspberrypi4-64/latest"));
 * console.log(response.status, response.headers.get("location"));
 * ```
 */
export function createImageHandler(manager: ImageManager, options?: ImageHandlerOptions): ImageHandler {
  const context = checkedHandlerOptions(manager, options);
  const limits = {
    images: createTransferLimit(context.maxTransfers),
    lists: createTransferLimit(context.maxTransfers),
  };
  const mirror = createMirror(context, limits.images);
  return (request) =>
    answer(context, limits, mirror, request).catch((failure: unknown) =>
      answerFailure(context, request, failure),
    );
}

async function answer(
  context: HandlerContext,
  limits: Record<"images" | "lists", TransferLimit>,
  mirror: Mirror,
  request: Request,
): Promise<Response> {
  const { authorize, basePath, edit, isMirror, maxBodyBytes } = context;
  const options = { isEditable: edit !== undefined, isMirror };
  const route = routeOf(request.method, new URL(request.url), basePath, options);
  if (route.kind === "health") return answerHealth(context, request);
  const readable = await asked(request, maxBodyBytes);
  const refusal = authorize && (await refusalOf(authorize, readable.copy()));
  if (refusal) return refusal;
  if (route.kind === "images") return withinLimit(limits.lists, () => answerImages(context, request));
  if (route.kind === "mirror") return mirror(request, route.of);
  if (route.kind === "versions") return answerVersions(context, request, route.deviceType);
  return answerImage(context, limits.images, readable, route);
}

/** A list reads everything that is stored, so the number of simultaneous lists is limited. */
async function withinLimit(limit: TransferLimit, run: () => Promise<Response>): Promise<Response> {
  const release = limit();
  if (!release) throw busy();
  return run().finally(release);
}

function answerHealth({ internals }: HandlerContext, request: Request): Response {
  internals?.closing.throwIfAborted();
  return jsonResponse(request, { status: "ok" }, 200, { "cache-control": "no-store" });
}

/** Only `true` allows the request. The client must not see an error of `authorize`, which must not look like one of the manager either. */
async function refusalOf(
  authorize: NonNullable<ImageHandlerOptions["authorize"]>,
  request: Request,
): Promise<Response | undefined> {
  let verdict: unknown;
  try {
    verdict = await authorize(request);
  } catch (cause) {
    throw new Error("authorize failed", { cause: foreignError(cause) });
  }
  if (verdict instanceof Response) return verdict;
  if (verdict === true) return undefined;
  // RFC 9110, section 11.6.1 requires a challenge. For another challenge, `authorize` can return a Response.
  throw new HttpProblem(401, "This needs credentials.", { "www-authenticate": "Bearer" });
}

// nginx's status for a client that has gone. Nobody reads the answer.
const clientClosedRequest = 499;

function answerFailure(context: HandlerContext, request: Request, failure: unknown): Response {
  if (request.signal.aborted) return new Response(null, { status: clientClosedRequest });
  const problem = problemOf(failure);
  if (problem.status >= 500 && problem !== failure) context.report(failure, request);
  return problemResponse(request, problem);
}
