/** The options and the outcome of a transfer. */

import type { ChunkDigests } from "../digest.ts";
import type { ImageManagerError } from "../errors.ts";
import type { ImageIdentity } from "../identity.ts";
import type { Manifest } from "../store/manifest.ts";

/** What a transfer is to do. */
export interface TransferOptions {
  readonly id: string;
  readonly identity: ImageIdentity;
  /** Keep the image in the store. */
  readonly isStored: boolean;
  /** The copy that the store has. */
  readonly previous?: Manifest | undefined;
  /** Store the image even if earlier processes have tried that in vain. */
  readonly insistsOnStoring?: boolean | undefined;
  /** End at once if the upstream says that `previous` is still right. */
  readonly isConditional?: boolean | undefined;
  /** Try the first request once only, because `previous` can stand in for it. */
  readonly isImpatient?: boolean | undefined;
  /** What the chunks must turn out to be, as far as it goes. */
  readonly expected?: ChunkDigests | undefined;
  /** Default: the manager's. */
  readonly chunkBytes?: number | undefined;
}

/** How a transfer ended that did not fail. */
export type Outcome =
  | { readonly manifest: Manifest; readonly obstacle?: undefined }
  /** Delivered, but not committed, and why. */
  | { readonly manifest?: undefined; readonly obstacle: ImageManagerError };
