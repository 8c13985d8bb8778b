/** Finds the route and the parameters of a request. It is pure, and it finds every error of a URL. */
import { assertDeviceTypeName } from "../device-type.ts";
import { isImageManagerError } from "../errors.ts";
import { normalizeVariant } from "../identity.ts";
import type { ImageVariant } from "../types.ts";
import { assertVersionOrRange } from "../version/index.ts";
import { type Companion, companions } from "./companion-response.ts";
import { type MirrorRoute, mirrorRouteOf } from "./mirror/route.ts";
import { HttpProblem } from "./problem.ts";

/** An image as a URL names it. */
export interface ImageRoute {
  readonly kind: "image";
  readonly deviceType: string;
  readonly wanted: string;
  readonly variant: ImageVariant;
  /** A small file about the image, instead of the image. */
  readonly companion?: Companion | undefined;
}

/** What a request means. */
export type Route =
  | ImageRoute
  | { readonly kind: "images" }
  | { readonly kind: "versions"; readonly deviceType: string }
  | { readonly kind: "mirror"; readonly of: MirrorRoute }
  | { readonly kind: "health" };

/** What a handler answers besides. */
export interface RouteOptions {
  /** Images are answered to POST as well. */
  readonly isEditable?: boolean;
  /** Other managers are served. */
  readonly isMirror?: boolean;
}

/** @throws {HttpProblem} 400, 404 or 405. */
export function routeOf(method: string, url: URL, basePath: string, options: RouteOptions = {}): Route {
  const { isEditable = false, isMirror = false } = options;
  const segments = segmentsOf(url.pathname, basePath);
  const find = segments && (finderOf(segments) ?? (isMirror ? mirrorFinderOf(segments) : undefined));
  if (!find) throw new HttpProblem(404, "There is nothing under this path.");
  const isImage = segments[0] === "images" && segments.length === 3;
  const methods = isEditable && isImage ? ["GET", "HEAD", "POST"] : ["GET", "HEAD"];
  if (!methods.includes(method)) throw notAllowed(methods);
  return checked(() => find(url.searchParams));
}

function notAllowed(methods: readonly string[]): HttpProblem {
  const served = `${methods.slice(0, -1).join(", ")} and ${methods.at(-1)}`;
  return new HttpProblem(405, `Only ${served} are served.`, { allow: methods.join(", ") });
}

/** Still encoded: an escaped slash parts nothing. */
function segmentsOf(pathname: string, basePath: string): string[] | undefined {
  return pathname.startsWith(`${basePath}/`) ? pathname.slice(basePath.length + 1).split("/") : undefined;
}

type Finder = (query: URLSearchParams) => Route;

function finderOf(segments: readonly string[]): Finder | undefined {
  if (segments.includes("")) return undefined;
  const [name, deviceType, wanted] = segments;
  const shape = `${name}/${segments.length}`;
  if (shape === "healthz/1") return () => ({ kind: "health" }); // with any query that a probe adds
  if (shape === "images/1") return (query) => withoutQuery(query, { kind: "images" });
  if (shape === "versions/2")
    return (query) => withoutQuery(query, { kind: "versions", deviceType: deviceTypeOf(deviceType!) });
  if (shape === "images/3") return (query) => imageRoute(deviceType!, wanted!, query);
  const companion = shape === "images/4" ? companions.find((one) => one === segments[3]) : undefined;
  return companion && ((query) => ({ ...imageRoute(deviceType!, wanted!, query), companion }));
}

function mirrorFinderOf([name, version, ...rest]: readonly string[]): Finder | undefined {
  if (name !== "mirror" || version !== "v1" || rest.includes("")) return undefined;
  const of = mirrorRouteOf(rest.map(decoded));
  return of && ((query) => ({ kind: "mirror", of: of(query) }));
}

function imageRoute(deviceType: string, wanted: string, query: URLSearchParams): ImageRoute {
  const version = decoded(wanted);
  assertVersionOrRange(version);
  return { kind: "image", deviceType: deviceTypeOf(deviceType), wanted: version, variant: variantOf(query) };
}

function deviceTypeOf(segment: string): string {
  const deviceType = decoded(segment);
  assertDeviceTypeName(deviceType);
  return deviceType;
}

const parameters = ["developmentMode", "imageType", "fileType"];

/** What carries credentials, or chooses another's images, has no place in a URL: it ends up in logs and shared caches. */
function variantOf(query: URLSearchParams): ImageVariant {
  for (const name of query.keys()) {
    if (!parameters.includes(name) || query.getAll(name).length > 1)
      throw new HttpProblem(400, `The query may have ${parameters.join(", ")}, each once, and nothing else.`);
  }
  const { developmentMode, ...texts } = Object.fromEntries(query);
  return normalizeVariant({
    ...texts,
    ...(developmentMode !== undefined && { developmentMode: asBoolean(developmentMode) }),
  } as ImageVariant);
}

/** Another text is left as it is, to be refused. */
const asBoolean = (text: string) => (text === "true" || text === "false" ? text === "true" : text);

function withoutQuery(query: URLSearchParams, route: Route): Route {
  if (query.size === 0) return route;
  throw new HttpProblem(400, "This path takes no query.");
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new HttpProblem(400, "The path is not encoded as a URL should be.");
  }
}

/** The checks of the core speak of nothing but what was sent: their words may go back. */
function checked<T>(run: () => T): T {
  try {
    return run();
  } catch (failure) {
    if (isImageManagerError(failure)) throw new HttpProblem(400, failure.message, {}, { code: failure.code });
    throw failure;
  }
}
