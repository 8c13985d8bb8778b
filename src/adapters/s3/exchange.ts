/** What goes to S3 and what comes back. */

/** A request to the bucket, or to an object in it. */
export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Name of the object; empty for the bucket. */
  readonly name: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  /** The most bytes that a success may answer. Default: as many as a refusal may have, of which nothing is needed. */
  readonly maxBytes?: number | undefined;
  /** Told whenever a part of the answer has come. */
  readonly onProgress?: (() => void) | undefined;
  /** Aborts when the answer is not wanted any more. */
  readonly signal?: AbortSignal | undefined;
}

/** An answer, as far as it may be. */
export interface S3Answer {
  readonly status: number;
  /** In a buffer of its own. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The body ended within its bound. */
  readonly isWhole: boolean;
  /** What it said of that name. */
  readonly retryAfter: string | null;
  /** How many times it was asked. From 2 on, an earlier request may have taken effect although its answer got lost. */
  readonly attempts: number;
}
