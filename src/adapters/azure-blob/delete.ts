/** Deletes blobs by name: in batches if the service takes them, otherwise one by one. */
import { eachOf } from "../../core/each.ts";
import type { FailedKey } from "../../core/types.ts";
import { failedKeys } from "../store-values.ts";
import type { Ask } from "./connection.ts";
import type { AzureBatchAnswer } from "./container.ts";
import { type AzureBlobFailure, isRefusedWith } from "./failure.ts";

/** Azure's limit. */
const namesPerBatch = 256;
const batchesAtOnce = 4;
const deletesAtOnce = 16;
/** A blob with snapshots can't be deleted without them. */
const deleteSnapshots = "include";

/** Deletes one blob; a missing one needs no deleting. */
export function deleteBlob(ask: Ask, name: string): Promise<void> {
  return ask(`a deletion of "${name}"`, async (container, { abortSignal }) => {
    try {
      await container.getBlockBlobClient(name).delete({ abortSignal, deleteSnapshots });
    } catch (error) {
      if (!isRefusedWith(error, "BlobNotFound")) throw error;
    }
  });
}

/** Deletes all of them, as far as the service lets it; gives the names that are left. */
export async function deleteBlobs(ask: Ask, names: readonly string[]): Promise<FailedKey[]> {
  const batches = Array.from({ length: Math.ceil(names.length / namesPerBatch) }, (_, index) =>
    names.slice(index * namesPerBatch, (index + 1) * namesPerBatch),
  );
  const left = (await eachOf(batches, (batch) => deleteBatch(ask, batch), batchesAtOnce)).flat();
  // Once more, singly: that either works or says why not.
  return failedKeys(left, (name) => deleteBlob(ask, name), deletesAtOnce);
}

/** The names that are left to delete: those that failed, or all, for example if a signature does not allow batches. */
function deleteBatch(ask: Ask, names: readonly string[]): Promise<readonly string[]> {
  return ask("a batch of deletions", async (container, { abortSignal }) => {
    const blobs = names.map((name) => container.getBlockBlobClient(name));
    const { subResponses } = await container
      .getBlobBatchClient()
      .deleteBlobs(blobs, { abortSignal, deleteSnapshots });
    return names.filter((_, index) => !isGone(subResponses[index]));
  }).catch((error: AzureBlobFailure) => {
    if (refusals.includes(error.status ?? 0)) return names;
    throw error;
  });
}

/** Statuses of a service, or of a signature, that knows no batches. */
const refusals = [400, 403, 405, 501];

const isGone = (answer: AzureBatchAnswer | undefined) =>
  answer?.status === 202 || answer?.errorCode === "BlobNotFound";
