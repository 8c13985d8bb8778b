// Managers as the fuzz uses them: every wait is short, so that a hang is told from patience.
import { createHash } from "node:crypto";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import {
  createImageManager,
  type Hasher,
  type ImageManager,
  type StoreDriver,
} from "../../src/core/index.ts";
import { chunkBytes } from "./images.ts";
import { origin, type Upstream } from "./upstream.ts";

/** What differs among them. */
export interface ManagerTraits {
  readonly storage: StoreDriver;
  readonly upstream: Upstream;
  readonly maxAgeMs?: number;
  readonly staleIfErrorMs?: number;
  readonly maxBytes?: number | undefined;
  readonly memoryBytes?: number | undefined;
  /** Hashes at once instead of in the platform's threads: chunks then come in another rhythm. Default `false`. */
  readonly hashesAtOnce?: boolean;
  /** Waits as long as it takes: for the check that all is well in the end. Default `false`. */
  readonly isPatient?: boolean;
}

const hashAtOnce: Hasher = async (bytes) => ({
  sha256: createHash("sha256").update(bytes).digest("hex"),
  bytes,
});

/** Makes one. */
export function createManager(traits: ManagerTraits): ImageManager {
  const { storage, upstream, maxAgeMs = 0, staleIfErrorMs, maxBytes, memoryBytes, isPatient } = traits;
  return createImageManager({
    source: balenaApiSource({ apiUrl: origin, fetch: upstream.fetch, configure: "upstream" }),
    fetch: upstream.fetch,
    ...{ storage, chunkBytes, maxBytes, memoryBytes },
    ...(traits.hashesAtOnce && { hash: hashAtOnce }),
    freshness: { maxAgeMs, staleIfErrorMs },
    retry: { attempts: 3, minDelayMs: 0, maxDelayMs: 2, idleTimeoutMs: isPatient ? 20_000 : 60 },
    storeTimeoutMs: isPatient ? 20_000 : 60,
    lookUpTimeoutMs: isPatient ? 20_000 : 60,
    lease: { heartbeatMs: 10, ttlMs: 60, pollMs: 3 },
  });
}
