/** The R2 store in real workerd, without Node compatibility: the contract, and what the bucket holds for others. */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { afterAll, describe, expect, test } from "vitest";
import { type R2BucketBinding, r2Adapter } from "../../src/adapters/cloudflare-r2/index.ts";
import { patternOf } from "../contract/store-contract-support.ts";
import { collect } from "../support/collect.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";
import type { CaseList, CaseResult } from "./r2/worker.ts";

const miniflare = new Miniflare({
  modules: true,
  script: await bundle("./r2/worker.ts"),
  compatibilityDate: "2025-06-01",
  r2Buckets: ["BUCKET"],
});
afterAll(() => miniflare.dispose());
// Its types want Cloudflare's, which nothing else here needs.
const bucket = (await miniflare.getR2Bucket("BUCKET")) as unknown as R2BucketBinding;
const api = await sharedApi({ downloads: "with-validators" });

/** Fails on any import of Node, since nothing is there to resolve it. */
async function bundle(entry: string): Promise<string> {
  const path = fileURLToPath(new URL(entry, import.meta.url));
  const options = {
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
    target: "es2022",
  } as const;
  const { outputFiles } = await build({ ...options, mainFields: ["module", "main"], entryPoints: [path] });
  return outputFiles[0]?.text ?? "";
}

async function ask<T>(query: Record<string, string>): Promise<T> {
  const response = await miniflare.dispatchFetch(`http://worker/?${new URLSearchParams(query)}`);
  return (await response.json()) as T;
}

describe("in the Worker", async () => {
  const { cases } = await ask<CaseList>({});
  for (const { name, skipped } of cases) {
    if (skipped !== undefined) test.skip(`${name} (${skipped})`, () => {});
    else test(name, async () => expect(await ask<CaseResult>({ case: name })).toEqual({}));
  }
});

describe("the bucket", () => {
  test("holds the bytes themselves, under the key itself", async () => {
    const store = r2Adapter({ binding: bucket, keyPrefix: "mine/" });
    await store.setItemRaw?.("a:b", patternOf(1000), {});
    const object = await bucket.get("mine/a:b");
    expect(new Uint8Array(await object!.arrayBuffer())).toEqual(patternOf(1000));
    await store.clear?.("", {});
  });

  test("is not cleared without a level and a prefix: it is seldom ours alone", async () => {
    await bucket.put("theirs", patternOf(1));
    const store = r2Adapter({ binding: bucket });
    await expect(store.clear?.("", {})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await bucket.get("theirs")).not.toBe(null);
    await bucket.delete("theirs");
  });
});

test("an image comes from R2 the second time, byte for byte", async () => {
  const { manager } = createTestManager(api, {
    storage: r2Adapter({ binding: bucket, keyPrefix: "images/" }),
  });
  const { sha256 } = await api.image(slug, version);
  expect(await collect(await manager.get(slug, version))).toMatchObject({ sha256 });
  await manager.close();
  const again = createTestManager(api, { storage: r2Adapter({ binding: bucket, keyPrefix: "images/" }) });
  const image = await again.manager.get(slug, version);
  expect([image.origin, await collect(image)]).toMatchObject(["cache", { sha256 }]);
  expect(api.counters.transfers).toBe(1);
});
