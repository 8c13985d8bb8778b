// The S3 store over a real server: the contract of every store, and what only a server can show.
import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { type S3AdapterOptions, s3Adapter } from "../../src/adapters/s3/index.ts";
import type { StoreDriver } from "../../src/core/types.ts";
import { storeContract } from "../contract/store-contract.ts";
import { startChild } from "../support/children.ts";
import { collect } from "../support/collect.ts";
import { contractHost } from "../support/contract-host.ts";
import { accessTo, type Bucket, newBucket } from "../support/s3-service.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../support/test-manager.ts";

const bytes = new Uint8Array([1, 2, 3]);

describe.each(["", "cache/images/"])("contract, key prefix %j", async (keyPrefix) => {
  await storeContract({
    ...contractHost,
    create: async () => s3Adapter({ ...(await newBucket()).access, keyPrefix }),
  });
});

describe("what is stored", () => {
  test("is plain objects under the prefix, as another client sees them", async () => {
    const { access, names, read } = await newBucket();
    const store = s3Adapter({ ...access, keyPrefix: "cache/" });
    await store.setItemRaw?.("images:a b+c&d", bytes, {});
    expect(await store.createIfAbsent?.("leases:1", new Uint8Array([9]))).toBe("created");
    expect(await names()).toEqual(["cache/images:a b+c&d", "cache/leases:1"]);
    expect(await read("cache/images:a b+c&d")).toEqual(bytes);
    expect(await read("cache/leases:1")).toEqual(new Uint8Array([9]));
  });

  test("is apart from 1,200 objects of strangers around it, also when all of it is cleared", async () => {
    const bucket = await newBucket();
    const strangers = await writeStrangers(bucket);
    const store = s3Adapter({ ...bucket.access, keyPrefix: "p/" });
    const keys = Array.from({ length: 1_100 }, (_, index) => `mine:${index}`);
    await inBatches(keys, (key) => store.setItemRaw?.(key, bytes, {}));
    await store.setItemRaw?.("odd:<&'\" +%41\u0001ä", bytes, {});
    expect(await store.getKeys("mine:", {})).toHaveLength(1_100);
    expect(await store.getKeys("", {})).toHaveLength(1_101);
    await store.clear?.("", {});
    expect(await store.getKeys("", {})).toEqual([]);
    expect(await bucket.names()).toEqual(strangers);
  });

  test("is cleared in batches, which the server takes", async () => {
    const { access, names } = await newBucket();
    const methods: (string | undefined)[] = [];
    const countingFetch: typeof fetch = (input, init) => {
      methods.push(init?.method);
      return fetch(input, init);
    };
    const store = s3Adapter({ ...access, fetch: countingFetch });
    for (const key of ["a:<&'\" +%41ä>", "a:&amp;", "a:\u65e5", "b"])
      await store.setItemRaw?.(key, bytes, {});
    methods.splice(0);
    await store.clear?.("a", {});
    expect(methods).toEqual(["GET", "POST"]);
    expect(await names()).toEqual(["b"]);
  });

  /** Beside the prefix, and below it with names that no key has. */
  async function writeStrangers({ write, names }: Bucket): Promise<string[]> {
    const around = Array.from({ length: 1_197 }, (_, index) => `${["p2/", "o", "q/p/"][index % 3]}${index}`);
    await inBatches([...around, "p", "p/", "p/a/b"], (name) => write(name, "a stranger's"));
    return names();
  }
});

describe("virtual-hosted style", () => {
  test("reads, writes and lists what path style does", async () => {
    const { access } = await newBucket();
    const port = new URL(access.endpoint ?? "").port;
    const endpoint = `http://s3.test:${port}`;
    const store = s3Adapter({ ...access, endpoint, style: "virtual", fetch: fetchFromLoopback });
    await store.setItemRaw?.("a:b c", bytes, {});
    expect(await s3Adapter(access).getItemRaw?.("a:b c", {})).toEqual(bytes);
    expect(await store.getKeys("a:", {})).toEqual(["a:b c"]);
    await store.clear?.("a", {});
    expect(await store.getItemRaw?.("a:b c", {})).toBeNull();
  });

  /** Like `fetch`, but finds every host on loopback: no resolver knows the server's domain. */
  const fetchFromLoopback: typeof fetch = (input, init) =>
    new Promise((resolve, reject) => {
      const { host, port, pathname, search } = new URL(String(input));
      const headers = { ...Object.fromEntries(new Headers(init?.headers)), host };
      const options = { host: "127.0.0.1", port, path: pathname + search, method: init?.method, headers };
      const outgoing = request(options as object, async (incoming) => {
        const body = Buffer.concat(await incoming.toArray());
        const status = incoming.statusCode ?? 0;
        resolve(new Response(status === 204 ? null : body, { status }));
      });
      outgoing.once("error", reject).end(init?.body);
    });
});

describe("refuses clearly", () => {
  const calls: Record<string, (store: StoreDriver) => unknown> = {
    getItemRaw: (store) => store.getItemRaw?.("a", {}),
    setItemRaw: (store) => store.setItemRaw?.("a", bytes, {}),
    hasItem: (store) => store.hasItem("a", {}),
    removeItem: (store) => store.removeItem?.("a", {}),
    getKeys: (store) => store.getKeys("a", {}),
    createIfAbsent: (store) => store.createIfAbsent?.("a", bytes),
  };

  const failureOf = async (options: S3AdapterOptions, call: string) => {
    const [result] = await Promise.allSettled([Promise.resolve(calls[call]?.(s3Adapter(options)))]);
    return result.status === "rejected" ? result.reason : undefined;
  };

  test.each(Object.keys(calls))("a missing bucket is a fault of %s, not a missing value", async (call) => {
    expect(await failureOf(accessTo("no-such-bucket"), call)).toMatchObject({
      status: 404,
      code: "NoSuchBucket",
    });
  });

  test.each(Object.keys(calls))("wrong credentials are a fault of %s that holds no secret", async (call) => {
    const { access } = await newBucket();
    const wrong = { ...access, secretAccessKey: "wrongSecret0123456789" };
    const failure = await failureOf(wrong, call);
    expect(failure).toMatchObject({ status: 403 });
    if (call !== "hasItem") expect(failure).toMatchObject({ code: "SignatureDoesNotMatch" });
    expect(JSON.stringify(failure) + failure.stack).not.toContain(wrong.secretAccessKey);
    const unknown = await failureOf({ ...access, accessKeyId: "UNKNOWN" }, call);
    expect(unknown).toMatchObject({ status: 403 });
  });
});

describe("createIfAbsent", () => {
  test("has one winner among 16 adapters, each of which asks the server first", async () => {
    const { access, names, read } = await newBucket();
    const results = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        s3Adapter(access).createIfAbsent?.("lease", new Uint8Array([index])),
      ),
    );
    expect([...results].sort()).toEqual(["created", ...Array(15).fill("exists")]);
    expect(await read("lease")).toEqual(new Uint8Array([results.indexOf("created")]));
    expect(await names()).toEqual(["lease"]);
  });
});

describe("a manager", async () => {
  const api = await sharedApi({ downloads: "with-validators" });
  const get = async (storage: StoreDriver) => {
    const { manager } = createTestManager(api, { storage });
    await using _ = manager;
    const stream = await manager.get(slug, version);
    const { sha256 } = await collect(stream);
    return { origin: stream.origin, sha256, isCommitted: (await stream.committed()) !== undefined };
  };

  test("gets an image, and again from the bucket", async () => {
    const { access } = await newBucket();
    const { sha256 } = api.image(slug, version);
    const [first, second] = [await get(s3Adapter(access)), await get(s3Adapter(access))];
    expect(first).toEqual({ origin: "network", sha256: await sha256, isCommitted: true });
    expect(second).toEqual({ origin: "cache", sha256: await sha256, isCommitted: true });
    expect(api.counters.transfers).toBe(1);
  });

  test("shares one transfer with another manager over the same bucket", async () => {
    const { access } = await newBucket();
    api.faults.linkBytesPerSecond = 2 * 1024 * 1024;
    const images = await Promise.all([get(s3Adapter(access)), get(s3Adapter(access))]);
    const sha256 = await api.image(slug, version).sha256;
    for (const image of images) expect(image).toMatchObject({ sha256 });
    expect(api.counters.transfers).toBe(1);
  });

  test("in 8 processes over one bucket makes one transfer", { timeout: 120_000 }, async () => {
    const { access, names } = await newBucket();
    api.faults.linkBytesPerSecond = 512 * 1024;
    const task = { apiUrl: api.url, deviceType: slug, version, chunkBytes, s3: access };
    const reports = await Promise.all(Array.from({ length: 8 }, () => startChild(task).ended()));
    const sha256 = await api.image(slug, version).sha256;
    for (const report of reports) expect(report).toMatchObject({ sha256 });
    expect(api.counters.transfers).toBe(1);
    expect(reports.filter(({ events }) => events.includes("committed"))).toHaveLength(1);
    expect((await names()).filter((name) => /leases|partials|scratch/.test(name))).toEqual([]);
  });

  test("leaves nothing of its own behind when the cache is cleaned, and strangers alone", async () => {
    const bucket = await newBucket();
    await bucket.write("balena-images2:stranger", "a stranger's");
    const { manager } = createTestManager(api, { storage: s3Adapter(bucket.access) });
    await manager.prefetch(slug, version);
    expect((await bucket.names()).length).toBeGreaterThan(10);
    await manager.cleanCache();
    await manager.close();
    expect(await bucket.names()).toEqual(["balena-images2:stranger"]);
  });
});

async function inBatches(items: string[], run: (item: string) => unknown): Promise<void> {
  for (let start = 0; start < items.length; start += 50)
    await Promise.all(items.slice(start, start + 50).map(run));
}
