/** The part of a `ContainerClient` of `@azure/storage-blob` that the adapter uses. */

/** A ready client: the methods of a `ContainerClient` that the adapter uses. */
export interface AzureContainerClient {
  /** A client of one blob. It sends nothing. */
  getBlockBlobClient(name: string): AzureBlockBlob;
  /** Lists blobs by pages. */
  listBlobsFlat(options: { prefix: string; abortSignal: AbortSignal }): {
    /** The pages from a token on. */
    byPage(settings: { continuationToken?: string }): AsyncIterator<AzureListingPage>;
  };
  /** A client that deletes many blobs in one request. */
  getBlobBatchClient(): {
    /** Deletes them. Resolves with one answer for each, in their order. */
    deleteBlobs(
      blobs: AzureBlob[],
      options: AzureDeleteOptions,
    ): Promise<{
      /** What became of each. */
      readonly subResponses: readonly AzureBatchAnswer[];
    }>;
  };
}

/**
 * A client of one blob.
 *
 * @inline
 */
export interface AzureBlob {
  /** Resolves with the blob's head, and with its bytes as a stream (Node) or a `Blob` (browsers). */
  download(
    offset: number,
    count: undefined,
    options: AzureCallOptions & { conditions: { ifMatch?: string }; maxRetryRequests: number },
  ): Promise<AzureDownload>;
  /** Resolves with facts about the blob. */
  getProperties(options: AzureCallOptions): Promise<{
    /** Texts that were written with it. */
    readonly metadata?: Record<string, string>;
  }>;
  /** Deletes the blob. */
  delete(options: AzureDeleteOptions): Promise<unknown>;
}

/**
 * A client of one block blob.
 *
 * @inline
 */
export interface AzureBlockBlob extends AzureBlob {
  /** Writes the blob in one request. */
  upload(
    body: Uint8Array<ArrayBuffer>,
    contentLength: number,
    options: AzureCallOptions & { conditions?: { ifNoneMatch?: string }; metadata?: Record<string, string> },
  ): Promise<unknown>;
}

/**
 * What every call takes.
 *
 * @inline
 */
export interface AzureCallOptions {
  /** Aborts the call. */
  abortSignal: AbortSignal;
}

/**
 * What a deletion takes.
 *
 * @inline
 */
export interface AzureDeleteOptions extends AzureCallOptions {
  /** Whether snapshots of the blob go with it. */
  deleteSnapshots: "include";
}

/**
 * A blob on its way.
 *
 * @inline
 */
export interface AzureDownload {
  /** Bytes of the blob. */
  readonly contentLength?: number | undefined;
  /** Names this version of it. */
  readonly etag?: string | undefined;
  /** The bytes, on Node and the like. */
  readonly readableStreamBody?:
    | (AsyncIterable<string | Uint8Array> & {
        /** Tells of a failure. */
        on(event: "error", listener: () => void): unknown;
      })
    | undefined;
  /** The bytes, in browsers. */
  readonly blobBody?:
    | Promise<{
        /** All of them. */
        arrayBuffer(): Promise<ArrayBuffer>;
      }>
    | undefined;
}

/**
 * A page of a listing.
 *
 * @inline
 */
export interface AzureListingPage {
  /** Its blobs. */
  readonly segment: {
    /** Their names. */
    readonly blobItems: readonly {
      /** The blob's name. */
      readonly name: string;
    }[];
  };
  /** Where the next page begins. Empty or absent after the last page. */
  readonly continuationToken?: string | undefined;
}

/**
 * What became of one blob of a batch.
 *
 * @inline
 */
export interface AzureBatchAnswer {
  /** HTTP status. */
  readonly status: number;
  /** Azure's code of a refusal. */
  readonly errorCode?: string;
}
