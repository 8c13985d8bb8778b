// What is measured: the image, the stores, and how both sides open one.
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { redisAdapter } from "../../src/adapters/redis/index.ts";
import { s3Adapter } from "../../src/adapters/s3/index.ts";
import type { StoreDriver } from "../../src/core/index.ts";
import type { BucketAccess } from "../../test/support/s3-service.ts";
import { image as servedImage } from "../image.ts";

/** The image that is got: taken as the raw file, so that inflating is no part of the comparison. */
export const image = { ...servedImage, fileType: ".img" } as const;

/** Chunks that the raw clients move at a time. */
export const atOnce = 4;

/** Where a store is. */
export type StorePlace =
  | { readonly kind: "fs"; readonly base: string }
  | { readonly kind: "redis"; readonly url: string }
  | { readonly kind: "s3"; readonly access: BucketAccess };

/** Our adapter for it, as a user would make it. */
export function openAdapter(place: StorePlace): StoreDriver {
  if (place.kind === "fs") return fsAdapter({ base: place.base });
  if (place.kind === "redis") return redisAdapter({ url: place.url });
  return s3Adapter(place.access);
}

/** Bytes of a chunk in that store: the manager's default, or what the store takes. */
export function chunkBytesIn({ capabilities }: StoreDriver): number {
  return Math.min(4 * 1024 * 1024, capabilities.maxValueBytes ?? Number.POSITIVE_INFINITY);
}
