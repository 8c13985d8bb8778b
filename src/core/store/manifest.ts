/** The manifest: the small JSON value, written last, that makes stored chunks an image. */
import { bounds } from "../bounds.ts";
import { isChunkDigests, isCount, isMediaType, isOptional, isRecord, isSha256, isTime } from "../checks.ts";
import { type ChunkDigests, sha256HexOfText } from "../digest.ts";
import { StoreError } from "../errors.ts";
import { dateOfHeader, isValidators, type Validators } from "../freshness/validators.ts";
import { type ImageIdentity, imageId, isIdentity } from "../identity.ts";
import type { ImageInfo } from "../types.ts";
import type { ByteStore } from "./byte-store.ts";
import { decodeJson, encodeJson } from "./json.ts";
import { imageKey } from "./keys.ts";
import { isStoredChunks, type StoredChunks } from "./stored-chunk.ts";

/** A stored image. Times are milliseconds since 1970. */
export interface Manifest {
  readonly identity: ImageIdentity;
  readonly mime: string;
  readonly size: number;
  readonly chunkBytes: number;
  readonly chunks: ChunkDigests;
  /** What is known of the chunks as they lie in the store. Absent if they all lie as they are. */
  readonly stored?: StoredChunks | undefined;
  readonly digest: string;
  /** SHA-256 of the image as a file, if it was computed. */
  readonly sha256?: string | undefined;
  readonly validators: Validators;
  /** How it was fetched. Older manifests do not say. */
  readonly cameBy?: "parts" | "file" | undefined;
  readonly createdAt: number;
  readonly validatedAt: number;
  readonly pinned: boolean;
}

/** The manifest under an id; `undefined` (a miss) if it is missing, unreadable or fails its checks. */
export async function readManifest(store: ByteStore, id: string): Promise<Manifest | undefined> {
  const value = decodeJson(await store.read(imageKey(id)));
  if (!isManifestShape(value)) return undefined;
  // Values are checked, not trusted: a copied or renamed manifest must not answer for another image.
  if ((await imageId(value.identity)) !== id) return undefined;
  if ((await imageDigest(value)) !== value.digest) return undefined;
  return value;
}

/** Writes a manifest: the commit. @throws {StoreError} `STORE` also if it would be too large to be read again. */
export async function writeManifest(store: ByteStore, id: string, manifest: Manifest): Promise<void> {
  const bytes = encodeJson(manifest);
  if (bytes.length > bounds.manifestBytes) {
    throw new StoreError(
      `The manifest of an image of ${manifest.chunks.length} chunks is too large: use larger chunks`,
    );
  }
  await store.write(imageKey(id), bytes);
}

/**
 * Writes what `change` makes of a manifest, unless an image with other bytes has taken its place, or `change` has nothing to write. It reads
 * before it writes, so run it by `context.serially`.
 */
export async function rewriteManifest(
  store: ByteStore,
  id: string,
  digest: string,
  change: (current: Manifest) => Manifest | undefined,
): Promise<void> {
  const current = await readManifest(store, id);
  const changed = current?.digest === digest ? change(current) : undefined;
  if (changed) await writeManifest(store, id, changed);
}

/** SHA-256 over size, chunk size and chunk digests: names the content, and is not the SHA-256 of the file. */
export function imageDigest(image: Pick<Manifest, "size" | "chunkBytes" | "chunks">): Promise<string> {
  return sha256HexOfText(
    [image.size, image.chunkBytes, ...image.chunks.map((chunk) => chunk ?? "hole")].join("\n"),
  );
}

/** Length of a chunk: all are `chunkBytes` long but the last. */
export function chunkLength(image: Pick<Manifest, "size" | "chunkBytes">, index: number): number {
  return Math.min(image.chunkBytes, image.size - index * image.chunkBytes);
}

/** The public view of a manifest. */
export function toImageInfo(id: string, manifest: Omit<Manifest, "chunks">): ImageInfo {
  const { identity, validators } = manifest;
  const lastModified = dateOfHeader(validators.lastModified);
  return {
    id,
    ...identityInfo(identity),
    mime: manifest.mime,
    size: manifest.size,
    etag: `"${manifest.digest}"`,
    ...(manifest.sha256 !== undefined && { sha256: manifest.sha256 }),
    ...(lastModified && { lastModified }),
    createdAt: new Date(manifest.createdAt),
    validatedAt: new Date(manifest.validatedAt),
    pinned: manifest.pinned,
    isComplete: true,
  };
}

/** An identity as a caller would ask for it. */
export function identityInfo({
  source,
  scope,
  deviceType,
  version,
  variant,
}: ImageIdentity): Pick<ImageInfo, "deviceType" | "version" | "variant" | "source"> {
  return { deviceType, version, variant: { ...variant, ...(scope !== null && { scope }) }, source };
}

function isManifestShape(value: unknown): value is Manifest {
  if (!isRecord(value) || !isIdentity(value["identity"]) || !isValidators(value["validators"])) return false;
  const { size, chunkBytes, chunks } = value;
  if (!isCount(size) || !isCount(chunkBytes) || !isChunkDigests(chunks)) return false;
  if (chunkBytes === 0 || chunkBytes > bounds.chunkBytes) return false; // a reader makes buffers of that size
  if (chunks.length !== Math.ceil(size / chunkBytes)) return false;
  return (
    isTime(value["createdAt"]) &&
    isTime(value["validatedAt"]) &&
    isMediaType(value["mime"]) &&
    isSha256(value["digest"]) &&
    isOptional(isSha256, value["sha256"]) &&
    isOptional((stored) => isStoredChunks(stored) && stored.length === chunks.length, value["stored"]) &&
    [undefined, "parts", "file"].includes(value["cameBy"] as string | undefined) &&
    typeof value["pinned"] === "boolean"
  );
}
