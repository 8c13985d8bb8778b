// What the upstream has: every image, generated on demand, and the files it is packed as (`.img`, `.gz`, `.zip`).
import { createHash } from "node:crypto";
import { createDisk } from "./disk-content.ts";
import { layOut } from "./disk-layout.ts";
import type { PackedFile, PackedFiles, Packing } from "./packed-files.ts";

/** An image as the upstream would serve it, for comparison. */
export interface ServedImage {
  /** Bytes of the raw image. */
  readonly size: number;
  /** SHA-256 of the raw image, in hex. */
  readonly sha256: Promise<string>;
  /** Bytes of the raw image, `end` exclusive. Default: all. */
  bytes(start?: number, end?: number): Uint8Array<ArrayBuffer>;
  /** Size of its `.gz` file, made where it is not there yet. */
  gzBytes(): Promise<number>;
  /** Makes a file ahead of its first download, which would else wait for it. Default `.gz`. */
  prepare(fileType?: ".img" | ".gz" | ".zip"): Promise<void>;
}

/** All that decides an image's bytes, as a download's query names it. */
export interface ImageIdentity {
  readonly slug: string;
  readonly version: string;
  /** Other query parameters of the download. */
  readonly variant: Readonly<Record<string, string>>;
  /** 0, or 1 after `faults.change` has struck. */
  readonly contentRevision: number;
}

/** An image with its files. */
export interface StoredImage extends ServedImage {
  /** Short hash of the identity, for ETags. */
  readonly tag: string;
  file(packing: Packing): Promise<PackedFile>;
}

/** How disks are generated. */
export interface ImageLibraryOptions {
  readonly imageBytes: number;
  readonly holeFree: boolean;
  /** Members of a `.gz`, asked whenever one is needed. */
  readonly gzipMembers: () => number;
}

// The rest of the query configures the image: one small file in place.
const releaseParameters = ["imageType"];
const ignoredParameters = ["deviceType", "version", "fileType"];
const defaults: Readonly<Record<string, string>> = { developmentMode: "false", network: "ethernet" };
const readBytes = 4 * 1024 * 1024;

/** Makes a function that gives the image of an identity. */
export function createImageLibrary(
  options: ImageLibraryOptions,
  files: PackedFiles,
): (identity: ImageIdentity) => StoredImage {
  const layout = layOut(options.imageBytes, options.holeFree);
  const hashes = new Map<string, Promise<string>>();

  return (identity) => {
    const seed = { release: releaseKey(identity), variant: variantKey(identity.variant) };
    const tag = createHash("sha256").update(JSON.stringify(seed)).digest("hex").slice(0, 16);
    const read = createDisk(layout, seed);
    const raw = { bytes: layout.bytes, read };
    const file = (packing: Packing) => files.get(tag, raw, packing, options.gzipMembers());
    return {
      tag,
      file,
      size: layout.bytes,
      get sha256() {
        if (!hashes.has(tag)) hashes.set(tag, hash(layout.bytes, read));
        return hashes.get(tag)!;
      },
      bytes: (start = 0, end = layout.bytes) => read(start, Math.min(end, layout.bytes)),
      gzBytes: async () => (await file(".gz")).bytes,
      prepare: async (fileType = ".gz") => void (await file(fileType)),
    };
  };
}

function releaseKey({ slug, version, variant, contentRevision }: ImageIdentity): string {
  return JSON.stringify([
    slug,
    version,
    contentRevision,
    ...releaseParameters.map((name) => variant[name] ?? ""),
  ]);
}

function variantKey(variant: Readonly<Record<string, string>>): string {
  const skipped = [...releaseParameters, ...ignoredParameters];
  const chosen = Object.entries(variant).filter(
    ([name, value]) => !skipped.includes(name) && value !== defaults[name],
  );
  return JSON.stringify(chosen.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function hash(bytes: number, read: (start: number, end: number) => Uint8Array): Promise<string> {
  const sha = createHash("sha256");
  for (let at = 0; at < bytes; at += readBytes) {
    sha.update(read(at, Math.min(bytes, at + readBytes)));
    await new Promise(setImmediate); // a server in this process keeps answering meanwhile
  }
  return sha.digest("hex");
}
