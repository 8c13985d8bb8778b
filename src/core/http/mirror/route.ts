/** What another manager asks of a mirror: the paths below `/mirror/v1`, decoded. Pure. */
import { isSha256 } from "../../checks.ts";
import { assertDeviceType, assertDeviceTypeName } from "../../device-type.ts";
import { normalizeVariant } from "../../identity.ts";
import type { ImageVariant } from "../../types.ts";
import { parseVersion } from "../../version/index.ts";
import { HttpProblem } from "../problem.ts";

/** An image, by the names that the mirror's own answers have. */
export interface MirroredImage {
  readonly deviceType: string;
  readonly version: string;
  readonly variant: ImageVariant;
}

/** What is asked for. */
export type MirrorRoute =
  | { readonly kind: "owner" }
  | { readonly kind: "device-type"; readonly name: string }
  | { readonly kind: "versions"; readonly deviceType: string; readonly includeDrafts: boolean }
  | { readonly kind: "image"; readonly image: MirroredImage }
  | { readonly kind: "chunk"; readonly image: MirroredImage; readonly digest: string };

/** `undefined` if there is nothing under the path. */
export function mirrorRouteOf(
  segments: readonly string[],
): ((query: URLSearchParams) => MirrorRoute) | undefined {
  const [name = "", first = "", second = "", third, digest] = segments;
  const shape = `${name}/${segments.length}`;
  if (segments.length === 0) return (query) => knowing(query, [], { kind: "owner" });
  if (shape === "device-types/2")
    return (query) => knowing(query, [], { kind: "device-type", name: deviceTypeName(first) });
  if (shape === "versions/2") return (query) => versionsRoute(first, query);
  if (shape === "images/3") return (query) => ({ kind: "image", image: imageOf(first, second, query) });
  if (shape !== "images/5" || third !== "chunks" || !isSha256(digest)) return undefined;
  return (query) => ({ kind: "chunk", image: imageOf(first, second, query), digest });
}

function versionsRoute(deviceType: string, query: URLSearchParams): MirrorRoute {
  assertDeviceType(deviceType);
  const includeDrafts = query.get("includeDrafts") === "true";
  return knowing(query, ["includeDrafts"], { kind: "versions", deviceType, includeDrafts });
}

/** Configured images are made where they are needed: a mirror has the plain ones alone. */
function imageOf(deviceType: string, version: string, query: URLSearchParams): MirroredImage {
  assertDeviceType(deviceType);
  if (!parseVersion(version)) throw new HttpProblem(400, "A mirror has exact versions alone.");
  const variant = normalizeVariant(Object.fromEntries(query) as ImageVariant);
  return knowing(query, ["imageType", "fileType"], { deviceType, version, variant });
}

function knowing<T>(query: URLSearchParams, names: readonly string[], route: T): T {
  if ([...query.keys()].every((name) => names.includes(name) && query.getAll(name).length === 1))
    return route;
  throw new HttpProblem(400, `The query may have ${names.join(", ") || "nothing"}.`);
}

function deviceTypeName(name: string): string {
  assertDeviceTypeName(name);
  return name;
}
