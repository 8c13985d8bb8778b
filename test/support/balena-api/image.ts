// What the upstream has: every image, generated on demand, the parts that it is cut into, and the files that it is packed as.
import { createHash } from "node:crypto";
import { bootHead, bootPartition } from "./boot-partition.ts";
import { createDisk } from "./disk-content.ts";
import { type DiskLayout, layOut, type Span } from "./disk-layout.ts";
import { configuredBoot, type ImageConfig, imageConfigOf } from "./image-maker.ts";
import { bytesFile, joined, type PackedFile, type PackedFiles, partOf } from "./packed-files.ts";
import { type PackableImage, type Packing, pack, rawImage } from "./packing.ts";
import { cutIntoParts, type Part, packPart } from "./parts.ts";
import { patched, piecesOf, type RawFile } from "./raw-file.ts";

/** An image as the upstream would serve it, for comparison. A configured one is another for each time that it is made at. */
export interface ServedImage {
  /** Bytes of the raw image. */
  readonly size: number;
  /** SHA-256 of the raw image, in hex. */
  readonly sha256: Promise<string>;
  /** Bytes of the raw image, `end` exclusive. Default: all. Throws for a configured image: see `content`. */
  bytes(start?: number, end?: number): Uint8Array<ArrayBuffer>;
  /** All bytes of the raw image, configured or not. */
  content(): Promise<Uint8Array<ArrayBuffer>>;
  /** Size of its `.gz` file, made where it is not there yet. */
  gzBytes(): Promise<number>;
  /** Makes a file ahead of its first download, which would else wait for it. Default `.gz`. */
  prepare(fileType?: ".img" | ".gz" | ".zip"): Promise<void>;
}

/** What a download's query names. */
export interface AskedImage {
  readonly slug: string;
  readonly version: string;
  /** Other query parameters of the download. */
  readonly variant: Readonly<Record<string, string>>;
}

/** All that decides an image's bytes. */
export interface ImageIdentity extends AskedImage {
  /** 0, or 1 after `faults.change` has struck. */
  readonly contentRevision: number;
  /** Has to be there for a configured image, and counts for no other. */
  readonly madeAt?: Date;
}

/** An image with its files. */
export interface StoredImage extends ServedImage {
  /** Short hash of the identity, for ETags. */
  readonly tag: string;
  file(packing: Packing): Promise<PackedFile>;
  parts(): Promise<Part[]>;
}

/** How disks are generated. */
export interface ImageLibraryOptions {
  readonly imageBytes: number;
  readonly holeFree: boolean;
  /** Members of a `.gz`, asked whenever one is needed. */
  readonly gzipMembers: () => number;
}

/** What is made once of each image. */
interface MadeImage extends PackableImage {
  readonly sha256: () => Promise<string>;
}

const configuredKept = 8; // a fixed clock makes the same ones again and again

/** Makes a function that gives the image of an identity. */
export function createImageLibrary(
  options: ImageLibraryOptions,
  files: PackedFiles,
): (identity: ImageIdentity) => StoredImage {
  const layout = layOut(options.imageBytes, options.holeFree);
  const releases = new Map<string, MadeImage>();
  const configured = new Map<string, Promise<MadeImage>>();

  return (identity) => {
    const key = releaseKey(identity);
    const release = remember(releases, key, () => makeRelease(key, identity.slug, layout, files));
    const config = imageConfigOf(identity.slug, identity.variant);
    if (config === undefined) return stored(release.tag, async () => release, release.raw);
    const { madeAt = new Date(Number.NaN) } = identity;
    const tag = tagOf(release.tag, JSON.stringify(config), madeAt.toISOString());
    const make = () => configure(release, tag, config, madeAt, layout.partitions[0]!);
    return stored(tag, () => remember(configured, tag, make, configuredKept));
  };

  function stored(tag: string, made: () => Promise<MadeImage>, plain?: RawFile): StoredImage {
    const file = async (packing: Packing) => pack(await made(), packing, options.gzipMembers(), files);
    return {
      tag,
      file,
      parts: async () => (await made()).parts(),
      size: layout.bytes,
      get sha256() {
        return made().then(({ sha256 }) => sha256());
      },
      bytes(start = 0, end = layout.bytes) {
        if (plain === undefined) throw new Error("A configured image has to be made: await its content()");
        return plain.read(start, Math.min(end, layout.bytes));
      },
      content: async () => (await made()).raw.read(0, layout.bytes),
      gzBytes: async () => (await file(".gz")).bytes,
      prepare: async (fileType = ".gz") => void (await file(fileType)),
    };
  }
}

function makeRelease(key: string, slug: string, layout: DiskLayout, files: PackedFiles): MadeImage {
  const raw = { bytes: layout.bytes, read: createDisk(layout, key, bootHead(layout, slug)) };
  const tag = tagOf(key);
  return {
    tag,
    raw,
    parts: once(() => cutIntoParts(raw, tag, files)),
    img: () => rawImage({ tag, raw }, files),
    sha256: once(() => hash(raw)),
  };
}

/** The image of a release with another boot partition. */
async function configure(
  release: MadeImage,
  tag: string,
  config: ImageConfig,
  madeAt: Date,
  { start, end }: Span,
): Promise<MadeImage> {
  const boot = await configuredBoot(release.raw.read(start, end), config, madeAt);
  const raw = patched(release.raw, boot, start);
  const packed = once(() => packPart(boot));
  const isBoot = ({ partitionIndex }: Part) => partitionIndex === `(${bootPartition})`;
  return {
    tag,
    raw,
    async parts() {
      const [parts, bootPart] = await Promise.all([release.parts(), packed()]);
      return parts.map((part) => (isBoot(part) ? { ...part, ...bootPart } : part));
    },
    async img() {
      const file = await release.img();
      return joined([partOf(file, 0, start), bytesFile(boot), partOf(file, end, file.bytes)]);
    },
    sha256: once(() => hash(raw)),
  };
}

function releaseKey({ slug, version, variant, contentRevision }: ImageIdentity): string {
  return JSON.stringify([slug, version, contentRevision, variant["imageType"] ?? ""]);
}

function tagOf(...facts: string[]): string {
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 16);
}

/** The value of a key, made where it is not there; at most so many are kept, the newest. */
function remember<T>(known: Map<string, T>, key: string, make: () => T, most = Number.POSITIVE_INFINITY): T {
  if (!known.has(key)) known.set(key, make());
  const value = known.get(key)!;
  if (known.size > most) known.delete(known.keys().next().value!);
  return value;
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

async function hash(raw: RawFile): Promise<string> {
  const sha = createHash("sha256");
  for (const piece of piecesOf(raw)) {
    sha.update(piece);
    await new Promise(setImmediate); // a server in this process keeps answering meanwhile
  }
  return sha.digest("hex");
}
