/** Checks the options of `createImageHandler` and fills in the defaults. */
import { bounds } from "../bounds.ts";
import { isPositiveInteger } from "../checks.ts";
import { InvalidArgumentError } from "../errors.ts";
import { internalsOf, type ManagerInternals } from "../manager-internals.ts";
import type { GetOptions, ImageEdit, ImageManager } from "../types.ts";

/** Options of {@link createImageHandler}. */
export interface ImageHandlerOptions {
  /**
   * Decides who may get what. It runs before anything but the body of a POST is read; only `/healthz` is open to everyone. `true` allows the request, `false`
   * answers 401, and a `Response` becomes the answer. If it throws, `onError` receives the error and the client gets a 500 without detail.
   * With this option every answer is `private`. Default: everyone may get everything; the manager then needs `maxBytes`.
   */
  authorize?: ((request: Request) => boolean | Response | Promise<boolean | Response>) | undefined;
  /**
   * Decides what is laid over the image that a request asks for, for example `bootFiles` of its JSON. Images are then also answered to POST,
   * and `authorize` and `edit` get the whole body. It runs after `authorize`. `undefined` leaves the image as it is, and a `Response` becomes
   * the answer. Errors of this library and a `SyntaxError` are answered with 400 or 422, and every other error as one of `authorize`. The
   * same GET must always give the same edit, because a client may put ranges together. No edited image may be kept by a cache. Default:
   * nothing is laid over images, and POST is refused.
   */
  edit?:
    | ((request: Request) => ImageEdit | Response | undefined | Promise<ImageEdit | Response | undefined>)
    | undefined;
  /** Most bytes that the body of a POST may have: 1 to 67,108,864. A longer one gets 413. Default 1,048,576 (1 MiB). */
  maxBodyBytes?: number | undefined;
  /**
   * `true` serves other managers too: with `mirrorSource` they get the images of this manager, chunk by chunk, and only those that they lack
   * (`docs/mirror.md`). It answers below `/mirror/v1`, and `authorize` decides about these requests as well. Default `false`.
   */
  mirror?: boolean | undefined;
  /** Path before all routes, for example `/os`. Default: none. */
  basePath?: string | undefined;
  /**
   * Most images that are sent to clients at the same time: a whole number from 1. A further request gets 503 and Retry-After. An image counts
   * until its body ends or is cancelled. The same limit applies to requests of `/images`, counted separately. Default 256.
   */
  maxTransfers?: number | undefined;
  /**
   * Receives the cause of every 5xx answer and of every body that broke off. Clients never see the cause. Errors that it throws are ignored.
   * Default: none.
   */
  onError?: ((error: unknown, request: Request) => void) | undefined;
  /**
   * Passed to every `get`. It receives work that should go on after the response, so that the cache is filled even if a client leaves.
   * Default: none.
   */
  waitUntil?: GetOptions["waitUntil"];
}

/** What every route works with. */
export interface HandlerContext {
  readonly manager: ImageManager;
  readonly internals: ManagerInternals | undefined;
  readonly authorize: ImageHandlerOptions["authorize"];
  readonly edit: ImageHandlerOptions["edit"];
  readonly maxBodyBytes: number;
  readonly isMirror: boolean;
  readonly basePath: string;
  readonly maxTransfers: number;
  readonly waitUntil: GetOptions["waitUntil"];
  /** Passes an error to `onError`. */
  report(error: unknown, request: Request): void;
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option and what it takes. */
export function checkedHandlerOptions(
  manager: ImageManager,
  options: ImageHandlerOptions = {},
): HandlerContext {
  if (typeof manager?.get !== "function")
    throw new InvalidArgumentError("createImageHandler needs an image manager");
  if (typeof options !== "object" || options === null)
    throw new InvalidArgumentError("The options must be an object");
  const { authorize, edit, maxBodyBytes = 1024 * 1024, basePath = "", mirror = false } = options;
  const { maxTransfers = 256, onError, waitUntil } = options;
  assertFunctions({ authorize, edit, onError, waitUntil });
  const internals = internalsOf(manager);
  if (typeof mirror !== "boolean" || (mirror && !internals))
    throw new InvalidArgumentError(
      '"mirror" must be true or false, and needs a manager of createImageManager',
    );
  if (!authorize && internals?.maxBytes === undefined) throw new InvalidArgumentError(unbounded);
  return {
    manager,
    internals,
    authorize,
    edit,
    maxBodyBytes: checkedBodyBytes(maxBodyBytes),
    isMirror: mirror,
    basePath: checkedBasePath(basePath),
    maxTransfers: checkedCount(maxTransfers),
    waitUntil,
    report: createReport(onError),
  };
}

const unbounded =
  'Without "authorize" anyone could fill the store: set "maxBytes" of the manager (it must come from createImageManager), or "authorize" of the handler';

function checkedBasePath(basePath: unknown): string {
  if (basePath === "" || basePath === "/") return "";
  const isPath = typeof basePath === "string" && /^(?:\/[A-Za-z0-9._~-]+)+\/?$/.test(basePath);
  // URLs are normalized, so a path such as `/a/../b` would never match.
  if (isPath && new URL(basePath, "http://localhost").pathname === basePath)
    return basePath.replace(/\/$/, "");
  throw new InvalidArgumentError('"basePath" must be a path of A-Z a-z 0-9 . _ ~ -, for example "/os"');
}

function checkedCount(maxTransfers: unknown): number {
  if (isPositiveInteger(maxTransfers)) return maxTransfers;
  throw new InvalidArgumentError('"maxTransfers" must be a whole number from 1');
}

function checkedBodyBytes(bytes: unknown): number {
  if (isPositiveInteger(bytes) && bytes <= bounds.requestBodyBytes) return bytes;
  throw new InvalidArgumentError(
    `"maxBodyBytes" must be a whole number from 1 to ${bounds.requestBodyBytes}`,
  );
}

function assertFunctions(options: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && typeof value !== "function")
      throw new InvalidArgumentError(`"${name}" must be a function`);
  }
}

/** An error of `onError` must not reach the client, even if `onError` is an async function. */
function createReport(onError: ImageHandlerOptions["onError"]): HandlerContext["report"] {
  return (error, request) => {
    new Promise((resolve) => resolve(onError?.(error, request))).catch(() => undefined);
  };
}
