// The images of the fuzz's upstream: small ones of a few chunks, and the truth that every delivered byte is compared with.
import { constants, crc32, deflateRawSync, gzipSync } from "node:zlib";
import type { ImageVariant } from "../../src/core/index.ts";
import { noise } from "../support/scripted-upstream.ts";

/** The device type that the upstream has. */
export const slug = "raspberrypi4-64";
/** Another name of it. */
export const alias = "raspberry-pi4";
/** The versions that the upstream lists, newest first. */
export const versions = ["6.1.0", "6.0.10+rev1"] as const;
/** Bytes of a chunk: the least there may be. */
export const chunkBytes = 256 * 1024;

/** What makes an image's bytes. `revision` 1 is the image that the upstream puts in the place of 0. */
export interface ImageName {
  readonly deviceType: string;
  readonly version: string;
  readonly developmentMode: boolean;
  readonly revision: 0 | 1;
}

/** The forms in which the upstream hands out an image. */
export type FileType = ".img" | ".zip" | ".gz";

/** An image's file as it is handed out; `undefined` for an image that there is none of. */
export function fileOf(name: ImageName, fileType: FileType): Uint8Array<ArrayBuffer> | undefined {
  if (name.deviceType !== slug || !(versions as readonly string[]).includes(name.version)) return undefined;
  return remembered(`${JSON.stringify(name)} ${fileType}`, () => packed(rawImage(name), fileType));
}

/** A file of a release: its path, and its bytes. */
export interface ReleaseFile {
  readonly key: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** An image as balena keeps it: a table of contents and packed parts; nothing for what only the image maker makes. */
export function releaseFilesOf(name: ImageName): readonly ReleaseFile[] {
  const image = name.developmentMode ? undefined : fileOf(name, ".img");
  if (!image) return [];
  const known = releases.get(image) ?? packedParts(image);
  releases.set(image, known);
  return known;
}

const releases = new WeakMap<Uint8Array, readonly ReleaseFile[]>();

function packedParts(image: Uint8Array<ArrayBuffer>): ReleaseFile[] {
  const cuts = [0, 1_000, 1.5 * chunkBytes, image.length];
  const raw = cuts.slice(1).map((end, index) => image.subarray(cuts[index], end));
  const packed = raw.map((bytes) => deflateRawSync(bytes, { level: 1, finishFlush: constants.Z_SYNC_FLUSH }));
  const parts = raw.map((bytes, index) => ({
    filename: `part-${index}.deflate`,
    crc: crc32(bytes),
    len: bytes.length,
    zLen: packed[index]!.length,
    partitionIndex: `(${index})`,
  }));
  const contents = new TextEncoder().encode(JSON.stringify({ "resin.img": { parts } }));
  const files = packed.map((bytes, index) => ({
    key: `compressed/part-${index}.deflate`,
    bytes: new Uint8Array(bytes),
  }));
  return [{ key: "image.json", bytes: contents }, ...files];
}

/** What a get of an image may deliver, in both revisions. */
export function truthsOf(deviceType: string, version: string, variant: ImageVariant) {
  const developmentMode = variant.developmentMode ?? false;
  const names = ([0, 1] as const).map((revision) => ({ deviceType, version, developmentMode, revision }));
  return names.flatMap((name) => fileOf(name, variant.fileType ?? ".img") ?? []);
}

/** Two chunks, a hole between them, and a tail whose length the revision changes. It begins as a disk does. */
function rawImage({ version, developmentMode, revision }: ImageName): Uint8Array<ArrayBuffer> {
  const seed = 1 + 7 * version.length + (developmentMode ? 2 : 0) + revision;
  const bytes = new Uint8Array(3 * chunkBytes + 1_000 * (1 + revision));
  bytes.set(noise(chunkBytes, seed));
  bytes.set(noise(bytes.length - 2 * chunkBytes, seed + 100), 2 * chunkBytes);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

function packed(image: Uint8Array<ArrayBuffer>, fileType: FileType): Uint8Array<ArrayBuffer> {
  if (fileType === ".img") return image;
  if (fileType === ".gz") return new Uint8Array(gzipSync(image, { level: 1 }));
  const file = new Uint8Array(image.length + 4);
  file.set([0x50, 0x4b, 3, 4]);
  file.set(image, 4);
  return file;
}

const memory = new Map<string, Uint8Array<ArrayBuffer>>();

function remembered(key: string, make: () => Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const found = memory.get(key) ?? make();
  memory.set(key, found);
  return found;
}
