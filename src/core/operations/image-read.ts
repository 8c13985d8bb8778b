/** One get, as far as it is decided. */
import type { ImageIdentity } from "../identity.ts";
import type { Span } from "../transfer/image-stream.ts";
import type { CacheMode, GetOptions } from "../types.ts";

export interface ImageRead {
  readonly id: string;
  readonly identity: ImageIdentity;
  readonly mode: CacheMode;
  readonly span: Span;
  readonly signal: AbortSignal;
  readonly onProgress: GetOptions["onProgress"];
}
