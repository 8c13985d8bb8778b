/** Deletes many values from both tiers: far in one call, if the far store can, then near. */
import type { FailedKey } from "../../core/types.ts";
import { failedKeys } from "../store-values.ts";
import type { Tiers } from "./tiers.ts";

/** As `removeItem` for each key, `remove` being that. Resolves with the keys that are left. */
export async function removeManyTiers(
  tiers: Tiers,
  keys: readonly string[],
  remove: (key: string, isFarDone?: boolean) => Promise<void>,
): Promise<readonly FailedKey[]> {
  const { far, link, farReadOnly } = tiers;
  const { removeMany } = far;
  if (farReadOnly || !removeMany) return failedKeys(keys, (key) => remove(key), callsAtOnce);
  const left = await link.call("remove", () => removeMany(keys), { limitMs: batchLimitMs });
  const leftKeys = new Set(left.map(({ key }) => key));
  const gone = keys.filter((key) => !leftKeys.has(key));
  return [...left, ...(await failedKeys(gone, (key) => remove(key, true), callsAtOnce))];
}

const callsAtOnce = 16;
/** A batch has up to a thousand keys. */
const batchLimitMs = 30_000;
