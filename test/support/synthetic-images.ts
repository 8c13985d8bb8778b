// Thousands of images in a store, made at once: manifests of made-up chunks, written as the library would. Their chunks are not there, unless
// wanted.
import { imageId } from "../../src/core/identity.ts";
import type { StoreDriver } from "../../src/core/index.ts";
import { imageDigest, type Manifest } from "../../src/core/store/manifest.ts";

/** How many images of what. */
export interface SyntheticImages {
  readonly count: number;
  readonly chunksEach: number;
  readonly chunkBytes: number;
  /** When the first was made; each of the others a second later. */
  readonly createdAt: number;
  /** Writes the chunks as well: a few bytes each, which are not what their names say. */
  readonly withChunks?: boolean;
}

const prefix = "balena-images:v1:";
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** Version of the image with this number. */
export const syntheticVersion = (number: number): string => `1.${Math.floor(number / 100)}.${number % 100}`;

/** Writes them. `source` and `deviceType` are those under which a manager looks for them. */
export async function addSyntheticImages(
  storage: StoreDriver,
  { count, chunksEach, chunkBytes, createdAt, withChunks }: SyntheticImages,
  source: string,
  deviceType: string,
): Promise<void> {
  const put = (key: string, value: Uint8Array) => storage.setItemRaw?.(`${prefix}${key}`, value, {});
  for (let number = 0; number < count; number++) {
    const identity = { source, scope: null, deviceType, version: syntheticVersion(number), variant: {} };
    const chunks = Array.from({ length: chunksEach }, (_, index) =>
      madeUpDigest(number * chunksEach + index),
    );
    const content = { size: chunksEach * chunkBytes, chunkBytes, chunks };
    const at = createdAt + number * 1000;
    const manifest: Manifest = {
      identity,
      mime: "application/octet-stream",
      ...content,
      digest: await imageDigest(content),
      validators: { fileType: ".gz" },
      createdAt: at,
      validatedAt: at,
      pinned: false,
    };
    for (const digest of withChunks ? chunks : [])
      await put(`chunks:${digest.slice(0, 2)}:${digest}`, new Uint8Array(16));
    await put(`images:${await imageId(identity)}`, encode(manifest));
  }
}

/** As evenly spread as real ones, and none is twice there: an odd factor permutes the numbers of 32 bits. */
function madeUpDigest(number: number): string {
  const start = (Math.imul(number + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0");
  return start + number.toString(16).padStart(56, "0");
}
