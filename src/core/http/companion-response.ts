/** GET and HEAD of the small files about a cached image: its SHA-256, as `sha256sum -c` reads it, and its block map for `bmaptool`. */
import { normalizeVariant } from "../identity.ts";
import type { ImageInfo, ImageVariant } from "../types.ts";
import { bmapOf } from "./bmap.ts";
import { cacheControl, fileName } from "./headers.ts";
import type { HandlerContext } from "./options.ts";
import { HttpProblem } from "./problem.ts";

/** Names of the files, after an image's path. */
export const companions = ["sha256", "bmap", "gz"] as const;
export type Companion = (typeof companions)[number];
/** Those that are answered here: the image as a `.gz` file is none of them. */
export type SmallCompanion = Exclude<Companion, "gz">;

/** An exact image. */
export interface CompanionOf {
  readonly deviceType: string;
  readonly version: string;
  readonly variant: ImageVariant;
}

/** Answers from what the cache knows; the upstream is not asked. */
export async function answerCompanion(
  context: HandlerContext,
  request: Request,
  companion: SmallCompanion,
  image: CompanionOf,
  isPrivate: boolean,
): Promise<Response> {
  const text = await (companion === "sha256" ? sha256Line(context, image) : blockMap(context, image));
  const bytes = new TextEncoder().encode(text);
  return new Response(request.method === "HEAD" ? null : bytes, {
    headers: {
      "cache-control": cacheControl(isPrivate),
      "content-type": companion === "sha256" ? "text/plain; charset=utf-8" : "application/xml",
      "content-length": String(bytes.length),
      "content-disposition": `attachment; filename="${fileName(image, image.variant)}.${companion}"`,
      "x-content-type-options": "nosniff",
    },
  });
}

/** `false`: of a plainer image, from which that variant follows. */
export function isOfVariant(info: ImageInfo, variant: ImageVariant): boolean {
  return JSON.stringify(normalizeVariant(info.variant)) === JSON.stringify(variant);
}

/** What the cache knows of an image. @throws {HttpProblem} 404 if it is not cached. */
export async function inspected({ manager }: HandlerContext, image: CompanionOf): Promise<ImageInfo> {
  const info = await manager.inspect(image.deviceType, image.version, image.variant);
  if (info && isOfVariant(info, image.variant)) return info;
  throw notCached();
}

async function sha256Line(context: HandlerContext, image: CompanionOf): Promise<string> {
  const info = await inspected(context, image);
  if (info.sha256 !== undefined) return `${info.sha256}  ${fileName(image, image.variant)}\n`;
  throw new HttpProblem(404, "The SHA-256 of this image is not known here.");
}

async function blockMap(context: HandlerContext, image: CompanionOf): Promise<string> {
  await inspected(context, image);
  const chunks = await context.internals?.chunksOf(image.deviceType, image.version, image.variant);
  if (!chunks) throw notCached();
  return bmapOf(chunks);
}

const notCached = () => new HttpProblem(404, "This image is not cached: get it first.");
