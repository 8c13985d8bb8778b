/** A get whose arguments are checked and whose image is known: what is left is to open its bytes. */
import type { ImageIdentity } from "../identity.ts";
import type { CacheMode, GetOptions } from "../types.ts";
import type { Span } from "./image-stream.ts";

export interface ResolvedGet {
  readonly id: string;
  readonly identity: ImageIdentity;
  readonly mode: CacheMode;
  readonly span: Span;
  readonly signal: AbortSignal;
  readonly onProgress: GetOptions["onProgress"];
}
