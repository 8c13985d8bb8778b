/** The part of a Cloudflare R2 bucket binding that the adapter uses; `R2Bucket` of Cloudflare's types fits it. */

/** A bucket binding: what the adapter uses of Cloudflare's `R2Bucket`. */
export interface R2BucketBinding {
  /** Facts about an object, `null` where there is none. */
  head(key: string): Promise<unknown>;
  /** An object with its bytes, `null` where there is none. */
  get(key: string): Promise<R2Body | null>;
  /** Writes an object. Fulfils with `null` where the condition does not hold. */
  put(key: string, value: Uint8Array, options: { onlyIf: R2Condition }): Promise<object | null>;
  /** Writes an object. */
  put(key: string, value: Uint8Array): Promise<object | null>;
  /** Deletes objects, at most 1,000; those that are not there count as deleted. */
  delete(keys: string | string[]): Promise<void>;
  /** A page of the objects whose names begin with the prefix; the cursor of the page before leads to the next. */
  list(options: { prefix: string; cursor?: string }): Promise<R2Page>;
}

/**
 * An object with its bytes.
 *
 * @inline
 */
export interface R2Body {
  /** Its length in bytes. */
  readonly size?: number;
  /** Its bytes as they come. */
  readonly body?: { cancel(): Promise<void> };
  /** All of them. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

/**
 * When a put may happen.
 *
 * @inline
 */
export interface R2Condition {
  /** The only one used is `*`: where there is no object yet. */
  etagDoesNotMatch: string;
}

/**
 * A page of a listing.
 *
 * @inline
 */
export interface R2Page {
  /** The objects, by name. */
  readonly objects: readonly {
    /** The object's name. */
    readonly key: string;
  }[];
  /** Whether another page follows. */
  readonly truncated: boolean;
  /** Where the next page begins, if one follows. */
  readonly cursor?: string;
}
