/** The part of a Cloudflare R2 bucket binding that the adapter uses; `R2Bucket` of Cloudflare's types fits it. */

/** A bucket binding. */
export interface R2BucketBinding {
  head(key: string): Promise<unknown>;
  get(key: string): Promise<R2Body | null>;
  /** Fulfils with `null` where the condition does not hold. */
  put(key: string, value: Uint8Array, options: { onlyIf: R2Condition }): Promise<object | null>;
  put(key: string, value: Uint8Array): Promise<object | null>;
  delete(keys: string | string[]): Promise<void>;
  list(options: { prefix: string; cursor?: string }): Promise<R2Page>;
}

/** An object with its bytes. */
export interface R2Body {
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** When a put may happen. */
export interface R2Condition {
  etagDoesNotMatch: string;
}

/** A page of a listing. */
export interface R2Page {
  readonly objects: readonly { readonly key: string }[];
  readonly truncated: boolean;
  readonly cursor?: string;
}
