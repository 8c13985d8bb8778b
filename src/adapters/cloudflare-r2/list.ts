/** Lists the objects under a prefix, page by page. */
import { type KeyPage, keysOfPages } from "../store-values.ts";
import type { R2BucketBinding } from "./bucket.ts";
import { outwait } from "./retry.ts";

/** Names of all objects that begin with the prefix. */
export function listObjects(bucket: R2BucketBinding, prefix: string): Promise<string[]> {
  return keysOfPages(prefix, async (cursor): Promise<KeyPage> => {
    const page = await outwait(() => bucket.list({ prefix, ...(cursor !== undefined && { cursor }) }));
    if (page.truncated && !page.cursor) throw new Error("R2 answered with a listing that goes on nowhere");
    return { keys: page.objects.map(({ key }) => key), next: page.truncated ? page.cursor : undefined };
  });
}
