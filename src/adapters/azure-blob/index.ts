/**
 * A store in a container of Azure Blob Storage. Each key is a block blob. It uses `@azure/storage-blob`.
 *
 * @module balena-image-manager/adapters/azure-blob
 */
import type { StoreDriver, StoreReadOptions } from "../../core/types.ts";
import { assertNotEverything, bytesOf, prefixOfLevel, textOf } from "../store-values.ts";
import { blobNameOf, keyOfBlob } from "./blob-name.ts";
import { type Ask, createConnection } from "./connection.ts";
import { createBlob } from "./create.ts";
import { deleteBlob, deleteBlobs } from "./delete.ts";
import { isRefusedWith } from "./failure.ts";
import { listBlobs } from "./list.ts";
import { type AzureBlobAdapterOptions, type AzureTokenCredential, checkedOptions } from "./options.ts";
import { readBlob } from "./read.ts";

export type { AzureContainerClient } from "./container.ts";
export type { AzureBlobFailure } from "./failure.ts";
export type { AzureBlobAdapterOptions, AzureTokenCredential };

/**
 * Creates a store that keeps values as block blobs in a container of Azure Blob Storage, or of a server that speaks its protocol. The key is
 * the blob's name. It needs the package `@azure/storage-blob`, and Node, Bun or Deno. Any number of processes may share the container. It
 * sends nothing before the first call.
 *
 * The client tries again if the service is busy or a connection is lost. A call that still fails rejects with an {@link AzureBlobFailure},
 * which contains no credential. A value that another process replaces while it is read is read again from its beginning.
 *
 * @throws `INVALID_ARGUMENT` if options are wrong or exclude each other, and from a call if `@azure/storage-blob` is not installed.
 * @example
 * ```ts
 * import { createImageManager } from "balena-image-manager";
 * import { azureBlobAdapter } from "balena-image-manager/adapters/azure-blob";
 * import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
 *
 * const storage = azureBlobAdapter({
 *   connectionString: process.env["AZURE_STORAGE_CONNECTION_STRING"] ?? "UseDevelopmentStorage=true",
 *   container: "images",
 * });
 * const images = createImageManager({ source: balenaApiSource(), storage });
 * await images.prefetch("raspberrypi4-64", "recommended");
 * ```
 */
export function azureBlobAdapter(options: AzureBlobAdapterOptions): StoreDriver {
  const { server, keyPrefix, timeoutMs } = checkedOptions(options);
  const ask = createConnection(server, timeoutMs);
  const keyOf = (key: string) => blobNameOf(keyPrefix, key);

  async function read(key: string, options: StoreReadOptions = {}): Promise<Uint8Array | null> {
    return readBlob(ask, keyOf(key), options);
  }

  async function write(key: string, value: unknown): Promise<void> {
    await writeBlob(ask, keyOf(key), bodyOf(value));
  }

  async function list(prefix: string): Promise<string[]> {
    const names = await listBlobs(ask, keyPrefix + prefix);
    return names.map((name) => keyOfBlob(keyPrefix, name)).filter((key) => key !== undefined);
  }

  async function remove(keys: readonly string[]) {
    const failed = await deleteBlobs(ask, keys.map(keyOf));
    return failed.map(({ key, cause }) => ({ key: key.slice(keyPrefix.length), cause }));
  }

  return {
    name: "azure-blob",
    // Not the options themselves: unstorage hands them out, and there are secrets in them.
    options: { keyPrefix },
    capabilities: { completeListing: true, tellsProgress: true },
    hasItem: async (key) => hasBlob(ask, keyOf(key)),
    getItem: async (key) => textOf(await read(key)),
    getItemRaw: read,
    setItem: write,
    setItemRaw: write,
    removeItem: async (key) => deleteBlob(ask, keyOf(key)),
    // Every key that begins with the text given; unstorage may leave it out.
    getKeys: async (prefix) => list(prefix ?? ""),
    clear: async (level) => {
      const prefix = prefixOfLevel(level ?? "");
      assertNotEverything(keyPrefix + prefix);
      const [failed] = await remove(await list(prefix));
      if (failed) throw failed.cause;
    },
    createIfAbsent: async (key, bytes) => createBlob(ask, keyOf(key), bodyOf(bytes)),
    removeItems: remove,
  };
}

/** One request: readers see the old blob or the new one. */
async function writeBlob(ask: Ask, name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  await ask(
    `a write of "${name}"`,
    (container, { abortSignal }) =>
      container.getBlockBlobClient(name).upload(bytes, bytes.length, { abortSignal }),
    { sentBytes: bytes.length },
  );
}

function hasBlob(ask: Ask, name: string): Promise<boolean> {
  return ask(`a look for "${name}"`, async (container, { abortSignal }) => {
    try {
      await container.getBlockBlobClient(name).getProperties({ abortSignal });
      return true;
    } catch (error) {
      if (isRefusedWith(error, "BlobNotFound")) return false;
      throw error;
    }
  });
}

/** No one keeps values in shared memory. */
function bodyOf(value: unknown): Uint8Array<ArrayBuffer> {
  return bytesOf(value) as Uint8Array<ArrayBuffer>;
}
