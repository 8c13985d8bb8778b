/** The port to an upstream: {@link ImageSource}. */

import type { ImageEdit } from "./get.ts";
import type { ImageVariant, OsVersion } from "./image.ts";

/** The image that an {@link ImageSource} must say how to request. */
export interface ResolvedImage {
  /** Canonical slug of the device type. */
  readonly deviceType: string;
  /** Exact version, as the source listed it. */
  readonly version: string;
  /** The variant. It has only the options that differ from the defaults, and no `scope`. */
  readonly variant: Readonly<ImageVariant>;
  /** The file type to request: the variant's, or for a raw image the one that is best to download. */
  readonly fileType: ".img" | ".zip" | ".gz";
  /**
   * `true` if the answer must be an {@link ImageFile} of the whole file: its parts could not be had, or the source had none before. A source
   * that has only parts throws an `UpstreamError`. Default `false`.
   */
  readonly isWhole?: boolean | undefined;
  /**
   * `true` if the upstream has just been found to be away, or must not be asked (`only-if-cached`). `derive` should then answer with what it
   * knows, if that is possible. Default `false`.
   */
  readonly isOffline?: boolean | undefined;
  /** Aborts when the answer is no longer wanted. A source may ignore it; the caller stops waiting. */
  readonly signal?: AbortSignal | undefined;
  /** Call it whenever bytes of an answer arrive. `request` fails after `lookUpTimeoutMs` without a call. */
  readonly onBytes?: (() => void) | undefined;
}

/** Headers of a request, as `new Headers` takes them on every runtime. */
export type RequestHeaders = Headers | Record<string, string> | [name: string, value: string][];

/** How to download an image as one file. */
export interface ImageFile {
  /** An `http` or `https` URL without credentials. Up to 10 redirects are followed, but none from `https` to `http`. */
  readonly url: string | URL;
  /** Headers to send. `authorization` and `cookie` are sent only to the URL's own origin. Default: none. */
  readonly headers?: RequestHeaders | undefined;
  /** `true` if the body is a gzip file that contains the image. */
  readonly gzip: boolean;
  /** Uncompressed bytes of the image, if the source is certain. A download of this size counts as complete. Default: not known. */
  readonly exactBytes?: number | undefined;
  /**
   * Uncompressed bytes of the image as an estimate, for progress and for the room that `maxBytes` needs. A function is called only if
   * neither the size nor Content-Length is known, or if `maxBytes` is set. Do not give the size of the compressed file. Default: none.
   */
  readonly estimatedBytes?: number | (() => Promise<number | undefined>) | undefined;
}

/** One part of an image that the upstream stores as a file: a partition, for example, or the gap between two partitions. */
export interface ImagePart {
  /** The upstream's name for the part: 1 to 128 letters, digits and `. _ -`. */
  readonly name: string;
  /** An `http` or `https` URL without credentials. It may expire: the source is then asked for a new one. */
  readonly url: string | URL;
  /** Headers to send, only to the URL's own origin. Put no token here: these URLs are signed. Default: none. */
  readonly headers?: RequestHeaders | undefined;
  /**
   * `deflate-raw`: a raw DEFLATE stream that ends with a sync flush and has no final block. `identity`: the bytes of the image,
   * uncompressed.
   */
  readonly encoding: "deflate-raw" | "identity";
  /** Bytes of the file, as they are sent. */
  readonly wireBytes: number;
  /** Bytes of the image in this part, uncompressed. */
  readonly bytes: number;
  /** CRC-32 of the uncompressed bytes, computed as gzip does. */
  readonly crc32: number;
}

/**
 * An image in parts. A source may answer with them if the requested `fileType` is `.gz`. They make the raw image, or the `.gz` file if the
 * variant names that. The manager proves each part by its length and CRC-32, goes on within a part after a break, and knows the exact size
 * before the first byte.
 *
 * @example
 * ```ts
 * import type { ImageParts } from "balena-image-manager";
 *
 * const url = "https://files.example.com/disk.deflate";
 * const sizes = { wireBytes: 4168, bytes: 4194304, crc32: 4286977720 };
 * const answer: ImageParts = { parts: [{ name: "disk.deflate", url, encoding: "deflate-raw", ...sizes }] };
 * console.log(answer.parts.length);
 * ```
 */
export interface ImageParts {
  /** All parts, in the order of the image. Together they cover the whole image. At most 4,096. */
  readonly parts: readonly ImagePart[];
}

/** What an upstream says of the file that an image was downloaded as. Header values are as they were sent. */
export interface ImageValidators {
  /** Its ETag, in quotes. */
  readonly etag?: string | undefined;
  /** When it changed last, as an HTTP date. */
  readonly lastModified?: string | undefined;
  /** When that was said. */
  readonly date?: string | undefined;
  /** Bytes of the file. */
  readonly size?: number | undefined;
  /** Which file it was. Default: the one that was asked for. */
  readonly fileType?: ".img" | ".zip" | ".gz" | undefined;
}

/**
 * An image in chunks that are named by their SHA-256, as a mirror has it. The manager takes each chunk from its store if it is there, and asks
 * for the others, several at a time. Each chunk is proven by its name.
 *
 * @example
 * ```ts
 * import type { ImageChunks } from "balena-image-manager";
 *
 * const digest = "2d6b9f5c2b1bde0cb5c1e1c7c1a5b4bb5ac5a9a2f1d8b0c9a4c5d4d7e0b8f1aa";
 * const chunk = async (name: string) => new Uint8Array(await (await fetch(`https://mirror.example/${name}`)).arrayBuffer());
 * const answer: ImageChunks = { size: 300_000, chunkBytes: 262_144, digests: [digest, null], chunk };
 * console.log(answer.digests.length);
 * ```
 */
export interface ImageChunks {
  /** Bytes of the image. */
  readonly size: number;
  /** Bytes of each chunk but the last one: 256 KiB to 64 MiB. The manager stores such chunks too, if its store takes them. */
  readonly chunkBytes: number;
  /** SHA-256 of each chunk in hex, in the order of the image; `null` for a chunk of zeros. At most 1,000,000. */
  readonly digests: readonly (string | null)[];
  /** Resolves with the bytes of a chunk, in a buffer that is the manager's from then on. */
  chunk(digest: string, options: SourceOptions): Promise<Uint8Array>;
  /** Media type of the image. Default `application/octet-stream`. */
  readonly mime?: string | undefined;
  /** What tells whether a copy is still fresh, and is kept with it. Default: an ETag that is made of the digests. */
  readonly validators?: ImageValidators | undefined;
}

/** An image that follows from a plainer one. */
export interface DerivedImage {
  /** The plainer variant, without a `scope`. It is downloaded and cached. */
  readonly variant: ImageVariant;
  /** Makes the image from the plainer one. Nothing of it is stored. */
  readonly edit: ImageEdit;
  /**
   * `true` if the next call of `derive` makes another image, for example because it gets a new key from the upstream. The manager then
   * refuses a `range`, because parts of two images do not fit together. Default `false`.
   */
  readonly isNewEachTime?: boolean | undefined;
}

/** The image that {@link ImageSource.config} makes a configuration for. */
export type ConfiguredImage = Pick<ResolvedImage, "deviceType" | "version" | "variant" | "signal">;

/** Options of a source's look-ups. */
export interface SourceOptions {
  /** Aborts when the answer is no longer wanted. A source may ignore it; the caller stops waiting. */
  readonly signal?: AbortSignal | undefined;
  /** Call it whenever bytes of an answer arrive. A look-up that does not call it fails after `lookUpTimeoutMs`. */
  readonly onBytes?: (() => void) | undefined;
}

/** Credentials whose owner only the upstream knows. */
export interface SourceAccount {
  /** Hex digest of the credentials and the upstream. It can't be made without the credentials, and it does not reveal them. */
  readonly digest: string;
  /**
   * Asks the upstream whose credentials these are, and resolves with the scope, or with `undefined` if their images are nobody's. The manager
   * calls it once and remembers the answer, also in the store.
   *
   * @throws `UNAUTHORIZED` if the upstream refuses the credentials, `UPSTREAM` if the upstream can't be asked.
   */
  confirm(options: SourceOptions): Promise<string | undefined>;
}

/**
 * Where images come from. A source lists versions and says how to request an image; the manager downloads the bytes.
 *
 * A source rejects with an {@link ImageManagerError} (`DEVICE_TYPE_NOT_FOUND`, `UNAUTHORIZED`, `UPSTREAM`). Any other error becomes
 * `UPSTREAM`.
 */
export interface ImageSource {
  /** The API's origin, for example `https://api.balena-cloud.com`. It is part of every image's identity. */
  readonly id: string;
  /**
   * The default scope: `undefined` without a token, otherwise one scope for each account. It must not be the token itself. Anyone can write
   * a token that names another owner. So either make the scope a digest of the whole secret, or return a {@link SourceAccount}, which the
   * upstream confirms.
   */
  scope?(options: SourceOptions): Promise<string | SourceAccount | undefined>;
  /** Resolves with the canonical slug of a slug or an alias. */
  resolveDeviceType(slugOrAlias: string, options: SourceOptions): Promise<string>;
  /** Resolves with all versions of a canonical slug, in any order. It makes one upstream request. */
  versions(
    slug: string,
    options: SourceOptions & { readonly includeDrafts?: boolean | undefined },
  ): Promise<OsVersion[]>;
  /**
   * Says how an image follows from a plainer one. The manager calls it once for each get. Resolves with `undefined` if the image has to be
   * downloaded as it is. Default: no image follows from another.
   */
  derive?(image: ResolvedImage): Promise<DerivedImage | undefined>;
  /**
   * Says how to download an image: as one file, in parts, or in chunks. The manager calls it again for every attempt, so that each attempt has a current
   * token and addresses that have not expired.
   */
  request(image: ResolvedImage): Promise<ImageFile | ImageParts | ImageChunks>;
  /**
   * Resolves with a fleet's `config.json` for an image. It can be laid over any number of plain images. The manager never calls it.
   * Default: the source has none.
   */
  config?(image: ConfiguredImage): Promise<Record<string, unknown>>;
}
