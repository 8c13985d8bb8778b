/** The options of `createImageHandler`, checked and filled in. */
import { InvalidArgumentError } from "../errors.ts";
import { factsOf, type ManagerFacts } from "../manager-facts.ts";
import type { GetOptions, ImageManager } from "../types.ts";

/** Options of {@link createImageHandler}. */
export interface ImageHandlerOptions {
  /**
   * Says who may have what, before anything is asked or read (`/healthz` alone is open to all): `true` lets the request pass,
   * `false` answers 401, a `Response` is the answer itself. What it throws is told to `onError` and answered with a bare 500.
   * With it every answer is `private`. Default: all may have all, which needs a manager with `maxBytes`.
   */
  authorize?: ((request: Request) => boolean | Response | Promise<boolean | Response>) | undefined;
  /** Path that all routes begin with, for example `/os`. Default: none. */
  basePath?: string | undefined;
  /**
   * Images on their way to clients at once; a further request is answered with 503 and Retry-After. One counts until its body has
   * ended or is cancelled. As many requests may wait for `/images`. A whole number from 1. Default 256.
   */
  maxTransfers?: number | undefined;
  /** Told the cause of every 5xx answer and of every body that broke off; clients never see it. What it throws is ignored. */
  onError?: ((error: unknown, request: Request) => void) | undefined;
  /** Given to every `get`: is handed the work that should outlive the response, so that the cache fills when a client leaves. */
  waitUntil?: GetOptions["waitUntil"];
}

/** What every route works with. */
export interface HandlerContext {
  readonly manager: ImageManager;
  readonly facts: ManagerFacts | undefined;
  readonly authorize: ImageHandlerOptions["authorize"];
  readonly basePath: string;
  readonly maxTransfers: number;
  readonly waitUntil: GetOptions["waitUntil"];
  /** Tells the operator. */
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
  const { authorize, basePath = "", maxTransfers = 256, onError, waitUntil } = options;
  assertFunctions({ authorize, onError, waitUntil });
  const facts = factsOf(manager);
  if (!authorize && facts?.maxBytes === undefined) throw new InvalidArgumentError(unbounded);
  return {
    manager,
    facts,
    authorize,
    basePath: checkedBasePath(basePath),
    maxTransfers: checkedCount(maxTransfers),
    waitUntil,
    report: createReport(onError),
  };
}

const unbounded =
  'Without "authorize" anyone could fill the store: give the manager a "maxBytes" (one that createImageManager has not made can\'t say its own), or the handler an "authorize"';

function checkedBasePath(basePath: unknown): string {
  if (basePath === "" || basePath === "/") return "";
  const isPath = typeof basePath === "string" && /^(?:\/[A-Za-z0-9._~-]+)+\/?$/.test(basePath);
  // A path that URLs are not left with (`/a/../b`) would never match one.
  if (isPath && new URL(basePath, "http://localhost").pathname === basePath)
    return basePath.replace(/\/$/, "");
  throw new InvalidArgumentError('"basePath" must be a path of A-Z a-z 0-9 . _ ~ -, for example "/os"');
}

function checkedCount(maxTransfers: unknown): number {
  if (Number.isSafeInteger(maxTransfers) && (maxTransfers as number) >= 1) return maxTransfers as number;
  throw new InvalidArgumentError('"maxTransfers" must be a whole number from 1');
}

function assertFunctions(options: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && typeof value !== "function")
      throw new InvalidArgumentError(`"${name}" must be a function`);
  }
}

/** An operator's fault must not become a client's, even where the listener is an async function. */
function createReport(onError: ImageHandlerOptions["onError"]): HandlerContext["report"] {
  return (error, request) => {
    new Promise((resolve) => resolve(onError?.(error, request))).catch(() => undefined);
  };
}
