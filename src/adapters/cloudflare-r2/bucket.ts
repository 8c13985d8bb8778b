/** The types of a Cloudflare R2 bucket binding, as far as the adapter uses them. */

/** A bucket binding. Cloudflare's `R2Bucket` fits it. */
export interface R2BucketBinding {
  /** Resolves with facts about an object, or `null` if it does not exist. */
  head(key: string): Promise<unknown>;
  /** Resolves with an object and its bytes, or `null` if it does not exist. */
  get(key: string): Promise<R2Body | null>;
  /** Writes an object. Resolves with `null` if the condition is not met. */
  put(key: string, value: Uint8Array, options: { onlyIf: R2Condition }): Promise<object | null>;
  /** Writes an object. */
  put(key: string, value: Uint8Array): Promise<object | null>;
  /** Deletes at most 1,000 objects. An object that does not exist counts as deleted. */
  delete(keys: string | string[]): Promise<void>;
  /** Resolves with a page of the objects whose names begin with the prefix. The cursor of a page leads to the next page. */
  list(options: { prefix: string; cursor?: string }): Promise<R2Page>;
}

/**
 * An object with its bytes.
 *
 * @inline
 */
export interface R2Body {
  /** Bytes of the object. */
  readonly size?: number;
  /** The stream of the object's bytes. */
  readonly body?: {
    /** Lets go of it. */
    cancel(): Promise<void>;
  };
  /** Resolves with all bytes of the object. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

/**
 * The condition of a put.
 *
 * @inline
 */
export interface R2Condition {
  /** The adapter only uses `*`: write only if the object does not exist. */
  etagDoesNotMatch: string;
}

/**
 * A page of a listing.
 *
 * @inline
 */
export interface R2Page {
  /** The objects of the page. */
  readonly objects: readonly {
    /** The object's name. */
    readonly key: string;
  }[];
  /** `true` if another page follows. */
  readonly truncated: boolean;
  /** Where the next page begins. Absent if no page follows. */
  readonly cursor?: string;
}
