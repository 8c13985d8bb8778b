/**
 * A store in a bucket of any S3 server. It uses `aws4fetch` and the web platform.
 *
 * @module balena-image-manager/adapters/s3
 */
import { bounds } from "../../core/bounds.ts";
import type { StoreDriver, StoreReadOptions } from "../../core/types.ts";
import { assertNotEverything, bytesOf, prefixOfLevel, textOf, withinBound } from "../store-values.ts";
import { createS3Client, type S3Client } from "./client.ts";
import { createObjectCreator } from "./create.ts";
import { deleteObject, deleteObjects } from "./delete.ts";
import type { S3Answer } from "./exchange.ts";
import { isRefusedWith } from "./failure.ts";
import { listObjects } from "./list.ts";
import { keyOfObject, objectNameOf } from "./object-name.ts";
import {
  checkedOptions,
  type S3AdapterOptions,
  type S3Credentials,
  type S3ServerOptions,
} from "./options.ts";

export type { S3Failure } from "./failure.ts";
export type { S3AdapterOptions, S3Credentials, S3ServerOptions };

/**
 * Creates a store that keeps values as objects in a bucket of AWS, Ceph, MinIO, R2 and the like. The key is the object's name. It needs the
 * package `aws4fetch`. It sends nothing before the first call.
 *
 * If the server is busy or lost, a request is sent again, up to `maxAttempts` times in total. A call that still fails rejects with an
 * {@link S3Failure}, which contains no credential. The first `createIfAbsent` tests whether the server respects `If-None-Match`; if not, it
 * answers `unsupported`. The credentials need `s3:ListBucket` in addition to get, put and delete. Without it, S3 answers `AccessDenied` for
 * an object that does not exist.
 *
 * @throws `INVALID_ARGUMENT` if an option has the wrong type or is out of range, and from a call if `aws4fetch` is not installed.
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
 * import { s3Adapter } from "balena-image-manager/adapters/s3";
 *
 * const storage = s3Adapter({
 *   bucket: "images",
 *   region: "eu-central-1",
 *   keyPrefix: "cache/",
 *   credentials: async () => ({ accessKeyId: "ASIAEXAMPLE", secretAccessKey: "example", sessionToken: "example" }),
 * });
 * const images = createImageManager({ source: balenaApiSource(), storage });
 * await images.prefetch("raspberrypi4-64", "recommended");
 * ```
 */
export function s3Adapter(options: S3AdapterOptions): StoreDriver {
  const config = checkedOptions(options);
  const ask = createS3Client(config);
  const create = createObjectCreator(ask, config.keyPrefix);
  const keyOf = (key: string) => objectNameOf(config.keyPrefix, key);

  async function read(key: string, options: StoreReadOptions = {}): Promise<Uint8Array | null> {
    return readObject(ask, keyOf(key), options);
  }

  async function write(key: string, value: unknown): Promise<void> {
    await ask({ method: "PUT", name: keyOf(key), body: bodyOf(value) });
  }

  async function list(prefix: string): Promise<string[]> {
    const names = await listObjects(ask, config.keyPrefix + prefix);
    const keys = names.map((name) => keyOfObject(config.keyPrefix, name));
    return keys.filter((key) => key !== undefined);
  }

  return {
    name: "s3",
    // Not the options themselves: unstorage hands them out, and there are secrets in them.
    options: { bucket: options.bucket, region: config.region, keyPrefix: config.keyPrefix },
    capabilities: { completeListing: true, tellsProgress: true },
    hasItem: async (key) => hasObject(ask, keyOf(key)),
    getItem: async (key) => textOf(await read(key)),
    getItemRaw: read,
    setItem: write,
    setItemRaw: write,
    removeItem: async (key) => deleteObject(ask, keyOf(key)),
    // Every key that begins with the text given; unstorage may leave it out.
    getKeys: async (prefix) => list(prefix ?? ""),
    clear: async (level) => {
      const prefix = prefixOfLevel(level ?? "");
      assertNotEverything(config.keyPrefix + prefix);
      const [failed] = await deleteObjects(ask, (await list(prefix)).map(keyOf));
      if (failed) throw failed.cause;
    },
    createIfAbsent: async (key, bytes) => create(keyOf(key), bodyOf(bytes)),
    removeItems: async (keys) => {
      const failed = await deleteObjects(ask, keys.map(keyOf));
      return failed.map(({ key, cause }) => ({ key: key.slice(config.keyPrefix.length), cause }));
    },
  };
}

async function readObject(
  ask: S3Client,
  name: string,
  options: StoreReadOptions,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const found = await findObject(ask, name, {
    ...options,
    maxBytes: options.maxBytes ?? bounds.unboundedReadBytes,
  });
  if (found === undefined) return null;
  return found.isWhole || withinBound(Number.POSITIVE_INFINITY, options) ? found.bytes : null;
}

async function hasObject(ask: S3Client, name: string): Promise<boolean> {
  try {
    await ask({ method: "HEAD", name });
    return true;
  } catch (error) {
    if (!isRefusedWith(error, 404)) throw error;
    // Its answer has no body to tell what is missing, the object or the bucket: reading does.
    return (await findObject(ask, name, { maxBytes: 0 })) !== undefined;
  }
}

async function findObject(
  ask: S3Client,
  name: string,
  { maxBytes, onProgress, signal }: StoreReadOptions,
): Promise<S3Answer | undefined> {
  try {
    return await ask({ method: "GET", name, maxBytes, onProgress, signal });
  } catch (error) {
    // A missing bucket is 404 too, and no missing value but a fault.
    if (isRefusedWith(error, "NoSuchKey")) return undefined;
    throw error;
  }
}

/** No one keeps values in shared memory, which `fetch` would refuse. */
function bodyOf(value: unknown): Uint8Array<ArrayBuffer> {
  return bytesOf(value) as Uint8Array<ArrayBuffer>;
}
