/** Deletes many values: in batches where a store takes them, otherwise a few at a time. */
import { eachOf } from "../each.ts";
import { StoreError } from "../errors.ts";
import { foreignError, foreignMessage } from "../foreign-error.ts";
import type { FailedKey } from "../types.ts";

/** As many as {@link StoreDriver.removeItems} is given: S3 and R2 take no more. A batch has the time limit of one call. */
const keysPerBatch = 1_000;

/** Batch after batch, each through `call`, which limits its time. @throws {StoreError} `STORE` after a batch of which some keys are left. */
export async function removeBatches(
  keys: readonly string[],
  removeMany: (keys: readonly string[]) => Promise<readonly FailedKey[]>,
  call: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<void> {
  for (let start = 0; start < keys.length; start += keysPerBatch) {
    const batch = keys.slice(start, start + keysPerBatch);
    assertNoneFailed(await call(() => removeMany(batch)), batch.length);
  }
}

/** Deletions are small, and a store that is far away takes many at a time. */
const deletionsAtATime = 64;

/** For a store without batches. */
export async function removeEach(
  keys: readonly string[],
  remove: (key: string) => Promise<void>,
): Promise<void> {
  await eachOf(keys, remove, deletionsAtATime);
}

function assertNoneFailed(failed: readonly FailedKey[], count: number): void {
  const [first] = failed;
  if (!first) return;
  const which = `${failed.length} of ${count} values, ${first.key} among them`;
  const message = `The store failed to remove ${which}: ${foreignMessage(first.cause)}`;
  throw new StoreError(message, { cause: foreignError(first.cause) });
}
