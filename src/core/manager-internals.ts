/** Facts of a manager that the HTTP handler needs and the public interface does not have. */
import type { ChunkDigests } from "./digest.ts";
import type { ImageIdentity } from "./identity.ts";
import type { ImageManager, ImageValidators, ImageVariant, ResolveOptions } from "./types.ts";

/** A cached image. */
export interface CachedChunks {
  readonly size: number;
  readonly chunkBytes: number;
  readonly chunks: ChunkDigests;
  readonly digest: string;
  readonly mime: string;
  readonly validators: ImageValidators;
}

/** Bytes, as they are or as a gzip file of them. */
export interface PackedBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly isGzip: boolean;
}

/** What only the library itself asks of a manager. */
export interface ManagerInternals {
  readonly maxBytes: number | undefined;
  /** Aborted when the manager is closed. */
  readonly closing: AbortSignal;
  /** Source and scope of the images that calls without a `scope` mean. */
  owner(signal: AbortSignal): Promise<Pick<ImageIdentity, "source" | "scope">>;
  /** The image that `get` would mean. Begins no transfer. */
  identify(
    deviceType: string,
    wanted: string,
    options: ImageVariant & ResolveOptions,
  ): Promise<Omit<ImageIdentity, "variant">>;
  /** What the cache knows of an image; `undefined` if it is not cached. */
  chunksOf(deviceType: string, version: string, variant: ImageVariant): Promise<CachedChunks | undefined>;
  /** A chunk from the store, verified, as gzip if it lies so; `undefined` if it is missing or damaged. */
  readPackedChunk(digest: string, length: number, signal: AbortSignal): Promise<PackedBytes | undefined>;
  /** The canonical slug of a slug or an alias, as the source says. */
  slugOf(deviceType: string, signal: AbortSignal): Promise<string>;
  /** A cached image as it lies in the store; `undefined` if it is not cached. */
  storedImage(deviceType: string, version: string, variant: ImageVariant): Promise<StoredImage | undefined>;
}

/** A cached image as it lies in the store. */
export interface StoredImage {
  readonly size: number;
  readonly chunkBytes: number;
  readonly chunks: ChunkDigests;
  /** What is known of the chunks' values, by index. */
  readonly stored?: readonly (StoredValue | null)[] | undefined;
  /**
   * The values of chunks `from` to `to` (exclusive), one after the other, with nothing for a hole. Rejects at one that is not what the manifest
   * says; the manifest is then put right in the background.
   */
  open(from: number, to: number): { next(): Promise<Uint8Array<ArrayBuffer> | undefined>; close(): void };
}

/** A chunk's value: its bytes, their SHA-256 if it is encoded, and the CRC-32 of the chunk if it can be a part of a gzip file. */
export interface StoredValue {
  readonly bytes: number;
  readonly sha256?: string | undefined;
  readonly crc32?: number | undefined;
}

// Registered, so that a handler of the CJS copy understands a manager of the ESM copy.
const key = Symbol.for("balena-image-manager.internals");

/** Adds its internals to a manager. The property is enumerable, so that a wrapper made by `{ ...manager }` keeps them. */
export function withInternals(manager: ImageManager, internals: ManagerInternals): ImageManager {
  return Object.assign(manager, { [key]: internals });
}

/** The internals of a manager; `undefined` for one that `createImageManager` has not made. */
export function internalsOf(manager: ImageManager): ManagerInternals | undefined {
  return (manager as { [key]?: ManagerInternals })[key];
}
