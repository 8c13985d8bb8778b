// What the R2 store must do beyond the contract: large buckets, strangers in them, and R2's passing refusals.
import { type R2BucketBinding, r2Adapter } from "../../../src/adapters/cloudflare-r2/index.ts";
import { createImageManager, type ImageSource } from "../../../src/core/index.ts";
import { equal } from "./equal.ts";

const noSource: ImageSource = {
  id: "https://api.invalid",
  resolveDeviceType: async (slug) => slug,
  versions: async () => [],
  request: async () => ({ url: "https://api.invalid", gzip: false }),
};

/** Each by its name, over a bucket in which only `images/` may be left over from other cases. */
export const bucketCases: Record<string, (bucket: R2BucketBinding) => Promise<void>> = {
  "1,200 objects of others outlive cleanCache, which deletes all of ours": async (bucket) => {
    const foreign = numbered(1_200, (index) => `${index % 2 ? "balena-images2:" : ""}x:${index}`);
    const ours = numbered(50, (index) => `balena-images:v1:chunks:00:${index}`);
    await putAll(bucket, [...foreign, ...ours]);
    await createImageManager({ source: noSource, storage: r2Adapter({ binding: bucket }) }).cleanCache();
    const left = await r2Adapter({ binding: bucket }).getKeys("", {});
    equal([...left].sort().join(), foreign.sort().join(), "the objects left");
    for (let start = 0; start < foreign.length; start += 1000)
      await bucket.delete(foreign.slice(start, start + 1000));
  },
  "a refusal that passes is outwaited, the whole second that R2 wants": async (bucket) => {
    let calls = 0;
    const put = async (...args: Parameters<R2BucketBinding["put"]>) => {
      calls += 1;
      if (calls <= 1)
        throw new Error("put: Reduce your concurrent request rate for the same object. (10058)");
      return bucket.put(...args);
    };
    const store = r2Adapter({
      binding: bound(bucket, { put: put as R2BucketBinding["put"] }),
      keyPrefix: "images/",
    });
    const startMs = Date.now();
    equal(await store.createIfAbsent?.("busy", new Uint8Array([1])), "created", "the answer");
    equal([calls, Date.now() - startMs >= 1_000], [2, true], "the calls, and whether a second passed");
    equal(await store.createIfAbsent?.("busy", new Uint8Array([2])), "exists", "the next answer");
  },
  "another error is thrown as it is, at once": async (bucket) => {
    let calls = 0;
    const get = async () => {
      calls += 1;
      throw new Error("get: The specified bucket does not exist. (10006)");
    };
    const store = r2Adapter({ binding: bound(bucket, { get }) });
    const message = await Promise.resolve(store.getItemRaw?.("k", {})).catch(String);
    equal(
      [message, calls],
      ["Error: get: The specified bucket does not exist. (10006)", 1],
      "the error, and the calls",
    );
  },
};

/** A binding with some methods replaced; those of the real one lose their `this` when they are copied. */
function bound(bucket: R2BucketBinding, replaced: Partial<R2BucketBinding>): R2BucketBinding {
  return {
    head: (key) => bucket.head(key),
    get: (key) => bucket.get(key),
    put: ((...args: Parameters<R2BucketBinding["put"]>) => bucket.put(...args)) as R2BucketBinding["put"],
    delete: (keys) => bucket.delete(keys),
    list: (options) => bucket.list(options),
    ...replaced,
  };
}

function numbered(count: number, name: (index: number) => string): string[] {
  return Array.from({ length: count }, (_, index) => name(index));
}

async function putAll(bucket: R2BucketBinding, names: string[]): Promise<void> {
  for (let start = 0; start < names.length; start += 100) {
    const batch = names.slice(start, start + 100);
    await Promise.all(batch.map((name) => bucket.put(name, new Uint8Array([1]))));
  }
}
