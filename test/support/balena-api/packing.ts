// Packs an image: raw, as `.gz`, as `.zip`, and each of these once more under a gzip content coding.
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { gzipFile } from "./gzip.ts";
import { bytesFile, contentOf, joined, type PackedFile, type PackedFiles, partOf } from "./packed-files.ts";
import { gluedGzip, type Part } from "./parts.ts";
import { piecesOf, type RawFile } from "./raw-file.ts";
import { zipParts } from "./zip.ts";

/** How an image lies in a file; `+gzip` is that file once more, under a gzip content coding. */
export type Packing = ".img" | ".gz" | ".zip" | ".gz+gzip" | ".zip+gzip";

/** An image that can be packed. */
export interface PackableImage {
  /** Keeps its files apart from others'. */
  readonly tag: string;
  readonly raw: RawFile;
  readonly parts: () => Promise<Part[]>;
  /** The raw image as a file. */
  readonly img: () => Promise<PackedFile>;
}

/** The file; balena's `.gz` has one member, made of the parts. */
export async function pack(
  image: PackableImage,
  packing: Packing,
  gzipMembers: number,
  files: PackedFiles,
): Promise<PackedFile> {
  if (packing === ".img") return image.img();
  if (packing === ".gz" && gzipMembers === 1) return gluedGzip(await image.parts());
  if (packing === ".zip") return zipped(await pack(image, ".gz", 1, files));
  const name = `${image.tag}-${gzipMembers}${packing}`;
  if (packing === ".gz") return files.get(name, () => gzipFile(image.raw, gzipMembers));
  const plain = await pack(image, packing === ".gz+gzip" ? ".gz" : ".zip", gzipMembers, files);
  return files.get(name, () => coded(plain));
}

/** The raw image, written to a temporary file. */
export function rawImage(
  { tag, raw }: Pick<PackableImage, "tag" | "raw">,
  files: PackedFiles,
): Promise<PackedFile> {
  return files.get(`${tag}.img`, () => piecesOf(raw));
}

async function zipped(gzip: PackedFile): Promise<PackedFile> {
  const trailer = await contentOf(partOf(gzip, gzip.bytes - 8, gzip.bytes));
  const { head, tail, start, end } = zipParts("image.img", gzip.bytes, trailer);
  return joined([bytesFile(head), partOf(gzip, start, end), bytesFile(tail)]);
}

async function* coded(file: PackedFile): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level: 1 });
  const piped = pipeline(file.read(0, file.bytes), gzip);
  yield* gzip;
  await piped;
}
