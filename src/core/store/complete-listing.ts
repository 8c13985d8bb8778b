/** The one check of what only a store can do that lists all of its keys. */
import { ListingIncompleteError } from "../errors.ts";
import type { StoreCapabilities } from "../types.ts";

/** @throws {ListingIncompleteError} `LISTING_INCOMPLETE` that says `what` needs it. */
export function assertCompleteListing(
  { completeListing }: Pick<StoreCapabilities, "completeListing">,
  what: string,
): void {
  if (completeListing) return;
  throw new ListingIncompleteError(
    `${what} needs a store that lists completely (capabilities.completeListing)`,
  );
}
