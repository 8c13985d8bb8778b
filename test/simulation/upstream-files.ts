// The files that the upstream has of a revision: the image, its gzip file, or its parts.
import { crc32, deflateRawSync, gzipSync, constants as zlib } from "node:zlib";
import type { ImagePart } from "../../src/core/types.ts";
import type { Revision } from "./content.ts";
import type { Profile } from "./profile.ts";

/** A file, and the end of its ETag. */
export interface UpstreamFile {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The whole image, as it is or packed. */
export function wholeFile({ bytes }: Revision, isPacked: boolean): UpstreamFile {
  return isPacked ? { name: "gz", bytes: new Uint8Array(gzipSync(bytes)) } : { name: "img", bytes };
}

/** A part as the source names it. Its address holds for this revision alone. */
export function partsOf(revision: Revision, profile: Profile, url: string): ImagePart[] {
  return Array.from({ length: profile.parts }, (_, index) => {
    const bytes = revision.bytes.subarray(...boundsOf(revision, profile, index));
    return {
      name: `part-${index}`,
      url: `${url}&part=${index}&of=${revision.name}`,
      encoding: profile.isPacked ? "deflate-raw" : "identity",
      wireBytes: partFile(revision, profile, index).bytes.length,
      bytes: bytes.length,
      crc32: crc32(bytes),
    };
  });
}

/** The file of a part. */
export function partFile(revision: Revision, profile: Profile, index: number): UpstreamFile {
  const bytes = revision.bytes.slice(...boundsOf(revision, profile, index));
  // As balena's parts are: without a final block, so that several make one stream.
  const packed = () => new Uint8Array(deflateRawSync(bytes, { finishFlush: zlib.Z_SYNC_FLUSH }));
  return { name: `part-${index}`, bytes: profile.isPacked ? packed() : bytes };
}

function boundsOf({ size }: Revision, { parts }: Profile, index: number): [from: number, to: number] {
  return [Math.floor((size * index) / parts), Math.floor((size * (index + 1)) / parts)];
}
