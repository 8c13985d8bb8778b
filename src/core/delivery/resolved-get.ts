/** A get with checked arguments and a known image. Only its bytes are still to be opened. */
import type { ImageIdentity } from "../identity.ts";
import type { Span } from "../span.ts";
import type { CacheMode, GetOptions } from "../types.ts";

export interface ResolvedGet {
  readonly id: string;
  readonly identity: ImageIdentity;
  readonly mode: CacheMode;
  readonly span: Span;
  readonly signal: AbortSignal;
  readonly onProgress: GetOptions["onProgress"];
}
