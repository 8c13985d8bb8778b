// A store by where it is: what a process is told over its environment.

import { fsAdapter } from "../../../src/adapters/fs/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { redisAdapter } from "../../../src/adapters/redis/index.ts";
import { s3Adapter } from "../../../src/adapters/s3/index.ts";
import type { StoreDriver } from "../../../src/core/types.ts";
import type { BucketAccess } from "../../support/s3-service.ts";

/** Where a store is. */
export type StorePlace =
  | { readonly kind: "memory" }
  | { readonly kind: "fs"; readonly base: string }
  | { readonly kind: "redis"; readonly url: string }
  | { readonly kind: "s3"; readonly options: BucketAccess };

/** Opens it. */
export function storeAt(place: StorePlace): StoreDriver {
  switch (place.kind) {
    case "memory":
      return memoryAdapter();
    case "fs":
      return fsAdapter({ base: place.base });
    case "redis":
      return redisAdapter({ url: place.url });
    case "s3":
      return s3Adapter(place.options);
  }
}
