/** The header fields of answers that carry an image, or say something about one. */

import type { Span } from "../span.ts";
import type { ImageStream, ImageVariant } from "../types.ts";

/** What an `ImageStream` and an `ImageInfo` both say. */
export interface Representation {
  readonly deviceType: string;
  readonly version: string;
  readonly mime?: string;
  readonly size?: number;
  readonly etag?: string;
  readonly lastModified?: Date;
  readonly sha256?: string;
  readonly edited?: ImageStream["edited"];
}

/** Who may keep an answer. */
export type Caching = "anybody" | "the client" | "nobody";

/** Immutable responses may be cached. Everything else must be revalidated, and responses tied to an account are private. */
export function cacheControl(isPrivate: boolean, isImmutable = false): string {
  if (isPrivate) return "private, no-cache";
  return isImmutable ? "public, max-age=31536000, immutable" : "no-cache";
}

/**
 * What a 304 has to say as well. An exact version never changes, but without its ETag nobody could tell: a cache would keep for a
 * year what can't be resumed, and put parts together that nothing proves to be of one image, as nginx's slices do.
 */
export function validatorHeaders(
  { etag, lastModified }: Representation,
  caching: Caching,
): Record<string, string> {
  const control = cacheControl(caching === "the client", etag !== undefined);
  return {
    "cache-control": caching === "nobody" ? "no-store" : control,
    ...(etag !== undefined && { etag }),
    ...(lastModified && { "last-modified": lastModified.toUTCString() }),
  };
}

/** The headers of a whole image, or of a part of it. Unknown facts are left out. */
export function imageHeaders(
  image: Representation,
  variant: ImageVariant,
  caching: Caching,
  part?: Span,
): Record<string, string> {
  const bytes = part ? part.end - part.start : image.size;
  return {
    ...validatorHeaders(image, caching),
    "accept-ranges": image.edited === "new-each-time" ? "none" : "bytes",
    "content-disposition": `attachment; filename="${fileName(image, variant)}"`,
    "x-content-type-options": "nosniff",
    ...(image.mime !== undefined && { "content-type": image.mime }),
    ...(image.sha256 !== undefined && { "repr-digest": `sha-256=:${base64OfHex(image.sha256)}:` }),
    ...(bytes !== undefined && { "content-length": String(bytes) }),
    ...(part && { "content-range": `bytes ${part.start}-${part.end - 1}/${image.size ?? "*"}` }),
  };
}

/** As a byte sequence of RFC 9530 and RFC 8941. */
function base64OfHex(hex: string): string {
  const codes = (hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16));
  return btoa(String.fromCharCode(...codes));
}

/** Letters that need neither quoting nor RFC 8187 in a header, and mean nothing to a file system. */
export function fileName(
  { deviceType, version }: Pick<Representation, "deviceType" | "version">,
  variant: ImageVariant,
): string {
  const { developmentMode, imageType, fileType = ".img" } = variant;
  const name = [deviceType, version, developmentMode ? "dev" : [], imageType ?? []].flat().join("-");
  const ending = fileType === ".img" ? ".img" : `.img${fileType}`;
  return name.replace(/[^A-Za-z0-9._+-]/g, "_") + ending;
}
