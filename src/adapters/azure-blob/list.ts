/** Lists the blobs under a prefix, page by page. */
import { keysOfPages } from "../store-values.ts";
import type { Ask } from "./connection.ts";

/** Names of all blobs that begin with the prefix. */
export function listBlobs(ask: Ask, prefix: string): Promise<string[]> {
  return keysOfPages(prefix, (cursor) =>
    ask("a listing", async (container, { abortSignal }) => {
      const pages = container
        .listBlobsFlat({ prefix, abortSignal })
        .byPage(cursor === undefined ? {} : { continuationToken: cursor });
      const { done, value } = await pages.next();
      if (done) return { keys: [], next: undefined };
      return {
        keys: value.segment.blobItems.map(({ name }) => name),
        next: value.continuationToken || undefined,
      };
    }),
  );
}
