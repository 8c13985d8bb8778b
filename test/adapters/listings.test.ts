/** Listings that come in pages: of a server that goes round in circles, never ends, or answers what was not asked for. */
import { describe, expect, test } from "vitest";
import { azureBlobAdapter } from "../../src/adapters/azure-blob/index.ts";
import { type R2BucketBinding, r2Adapter } from "../../src/adapters/cloudflare-r2/index.ts";
import { redisAdapter } from "../../src/adapters/redis/index.ts";
import { s3Adapter } from "../../src/adapters/s3/index.ts";
import { type KeyPage, keysOfPages } from "../../src/adapters/store-values.ts";
import type { StoreDriver } from "../../src/core/index.ts";

/** Pages by their cursors; the first one is `start`. Asked without end, it fails the test instead of hanging. */
function pagesOf(pages: Record<string, KeyPage>) {
  let asked = 0;
  return async (cursor = "start"): Promise<KeyPage> => {
    if (++asked > 1000) throw new Error("asked for ever");
    return pages[cursor] ?? { keys: [], next: undefined };
  };
}

const circles: [name: string, pages: Record<string, KeyPage>][] = [
  ["leads to itself", { start: { keys: ["a:1"], next: "x" }, x: { keys: ["a:2"], next: "x" } }],
  [
    "leads back",
    { start: { keys: ["a:1"], next: "x" }, x: { keys: [], next: "y" }, y: { keys: [], next: "x" } },
  ],
  [
    "leads back after a while",
    Object.fromEntries(
      ["start", ..."bcdefghijklmno"].map((cursor, index, all) => [
        cursor,
        { keys: [`a:${cursor}`], next: all[index + 1] ?? "f" },
      ]),
    ),
  ],
];

/** The adapters over one server of pages, in each one's own words. */
const adapters: [name: string, over: (pageAt: (cursor?: string) => Promise<KeyPage>) => StoreDriver][] = [
  [
    "redis",
    (pageAt) => {
      const call = async (command: string, ...args: unknown[]) => {
        if (command !== "SCAN") return 0;
        const { keys, next } = await pageAt(args[0] === "0" ? undefined : String(args[0]));
        return [next ?? "0", [...keys]];
      };
      return redisAdapter({ client: { call, callBuffer: call } });
    },
  ],
  [
    "cloudflare-r2",
    (pageAt) => {
      const list: R2BucketBinding["list"] = async ({ cursor }) => {
        const { keys, next } = await pageAt(cursor);
        const objects = [...keys].map((key) => ({ key }));
        return { objects, truncated: next !== undefined, ...(next !== undefined && { cursor: next }) };
      };
      const none = async () => null;
      return r2Adapter({ binding: { list, head: none, get: none, put: none, delete: async () => {} } });
    },
  ],
  [
    "azure-blob",
    (pageAt) => {
      const listBlobsFlat = () => ({
        byPage: ({ continuationToken }: { continuationToken?: string }) => ({
          next: async () => {
            const { keys, next } = await pageAt(continuationToken);
            const segment = { blobItems: [...keys].map((name) => ({ name })) };
            return { done: false as const, value: { segment, continuationToken: next ?? "" } };
          },
        }),
      });
      const none = () => ({}) as never;
      return azureBlobAdapter({
        client: { listBlobsFlat, getBlockBlobClient: none, getBlobBatchClient: none },
      });
    },
  ],
  [
    "s3",
    (pageAt) => {
      const answer = async (url: URL | RequestInfo) => {
        const token = new URL(String(url)).searchParams.get("continuation-token");
        const { keys, next } = await pageAt(token ?? undefined);
        const more = next === undefined ? "" : `<NextContinuationToken>${next}</NextContinuationToken>`;
        const names = [...keys].map((key) => `<Contents><Key>${key}</Key></Contents>`).join("");
        const end = `<IsTruncated>${next !== undefined}</IsTruncated>${more}</ListBucketResult>`;
        return new Response(`<ListBucketResult xmlns="x">${names}${end}`);
      };
      return s3Adapter({
        bucket: "bucket",
        region: "auto",
        accessKeyId: "a",
        secretAccessKey: "b",
        fetch: answer,
      });
    },
  ],
];

describe.each(adapters)("%s", (_, over) => {
  test("puts pages together, each key once", async () => {
    const pages = {
      start: { keys: ["a:1", "a:2"], next: "x" },
      x: { keys: ["a:2", "a:3"], next: undefined },
    };
    expect(await over(pagesOf(pages)).getKeys("a:", {})).toEqual(["a:1", "a:2", "a:3"]);
  });

  test.each(circles)("rejects a listing that %s", async (__, pages) => {
    await expect(over(pagesOf(pages)).getKeys("a:", {})).rejects.toMatchObject({ code: "MALFORMED_ANSWER" });
  });

  test("rejects a listing of keys that were not asked for, and clear deletes none of them", async () => {
    const store = over(pagesOf({ start: { keys: ["a:1", "stranger"], next: undefined } }));
    await expect(store.getKeys("a:", {})).rejects.toMatchObject({ code: "MALFORMED_ANSWER" });
    await expect(store.clear?.("a", {})).rejects.toMatchObject({ code: "MALFORMED_ANSWER" });
  });
});

test("a listing that R2 calls truncated and gives no cursor to go on is no listing", async () => {
  const none = async () => null;
  const list = async () => ({ objects: [{ key: "a:1" }], truncated: true });
  const store = r2Adapter({ binding: { list, head: none, get: none, put: none, delete: async () => {} } });
  await expect(store.getKeys("a:", {})).rejects.toThrow("goes on nowhere");
});

describe("the bounds of a listing", () => {
  const endless = (keysPerPage: number) => {
    let page = 0;
    return async (): Promise<KeyPage> => {
      page += 1;
      return {
        keys: Array.from({ length: keysPerPage }, (_, index) => `a:${page}:${index}`),
        next: String(page),
      };
    };
  };

  test("end one whose pages never do", async () => {
    const listing = keysOfPages("a:", endless(0), { maxPages: 500 });
    await expect(listing).rejects.toThrow("does not end within 500 pages");
    await expect(keysOfPages("a:", endless(10), { maxKeys: 1000 })).rejects.toThrow("1000 keys");
  });

  test("let one pass that is as long as they are", async () => {
    let page = 0;
    const pageAt = async () => ({ keys: [`a:${page}`], next: ++page < 500 ? String(page) : undefined });
    expect(await keysOfPages("a:", pageAt, { maxPages: 500, maxKeys: 500 })).toHaveLength(500);
  });
});
