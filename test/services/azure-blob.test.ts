/** The Azure store over Azurite: the contract, what Azure's own client makes of its blobs, and what becomes of broken answers. */
import { inspect } from "node:util";
import { type ContainerClient, ContainerSASPermissions } from "@azure/storage-blob";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { type AzureBlobAdapterOptions, azureBlobAdapter } from "../../src/adapters/azure-blob/index.ts";
import { storeContract } from "../contract/store-contract.ts";
import { patternOf } from "../contract/store-contract-support.ts";
import { startTestAzurite } from "../support/azurite.ts";
import { collect, rejection } from "../support/collect.ts";
import { contractHost } from "../support/contract-host.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const MiB = 1024 * 1024;
const azurite = await startTestAzurite();
const api = await sharedApi({ imageBytes: 8 * MiB, holeFree: true });
afterAll(() => azurite.stop());
beforeEach(() => {
  azurite.fault = () => undefined;
  azurite.requests.length = 0;
});

/** URL of a container with a signature for all that the adapter needs, and no more. */
const signedUrl = (container: ContainerClient) =>
  container.generateSasUrl({
    permissions: ContainerSASPermissions.parse("rwdl"),
    expiresOn: new Date(Date.now() + 3_600_000),
  });

describe.each<
  [string, (container: ContainerClient) => AzureBlobAdapterOptions | Promise<AzureBlobAdapterOptions>]
>([
  [
    "contract, by a connection string",
    ({ containerName }) => ({ connectionString: azurite.connectionString, container: containerName }),
  ],
  ["contract, by a signed URL", async (container) => ({ url: await signedUrl(container), keyPrefix: "p/" })],
])("%s", async (_, options) => {
  await storeContract({
    ...contractHost,
    create: async () => azureBlobAdapter(await options(await azurite.newContainer())),
  });
});

/** A store through the proxy, and the vendor's client of its container. */
async function setUp(options: { keyPrefix?: string; timeoutMs?: number } = {}) {
  const vendor = await azurite.newContainer();
  const { connectionString } = azurite;
  return {
    vendor,
    store: azureBlobAdapter({ connectionString, container: vendor.containerName, ...options }),
  };
}

async function namesOf(container: ContainerClient): Promise<string[]> {
  const names = [];
  for await (const { name } of container.listBlobsFlat()) names.push(name);
  return names;
}

/** Lets the next answers to such requests fail. */
function strike(
  what: RegExp,
  fault: ReturnType<typeof azurite.fault>,
  times = 1,
  meanwhile = async () => {},
) {
  let left = times;
  azurite.fault = ({ method, url }) => {
    if (left === 0 || !what.test(`${method} ${url}`)) return undefined;
    left -= 1;
    void meanwhile();
    return fault;
  };
}

test("Azure's own client reads what was written, under the key's name, and its blobs are read", async () => {
  const { store, vendor } = await setUp({ keyPrefix: "cache/" });
  await store.setItemRaw?.("a:b", patternOf(300_000), {});
  expect(await namesOf(vendor)).toEqual(["cache/a:b"]);
  expect(new Uint8Array(await vendor.getBlobClient("cache/a:b").downloadToBuffer())).toEqual(
    patternOf(300_000),
  );
  await vendor.getBlockBlobClient("cache/c").upload("text", 4);
  expect(await store.getItem("c")).toBe("text");
});

test("a client of the caller's is used as it is", async () => {
  const vendor = await azurite.newContainer();
  const store = azureBlobAdapter({ client: vendor });
  await store.setItemRaw?.("a", patternOf(10), {});
  expect(await store.getItemRaw?.("a", {})).toEqual(patternOf(10));
  expect(await store.removeItems?.(["a"])).toEqual([]);
  expect(await store.getKeys("", {})).toEqual([]);
});

test("blobs of others are neither listed nor deleted", async () => {
  const { store, vendor } = await setUp({ keyPrefix: "p/" });
  const strangers = ["p", "p/folder/x", "q:1", "p2/a"];
  for (const name of [...strangers, "p/a:1", "p/a:2"]) await vendor.getBlockBlobClient(name).upload("x", 1);
  expect((await store.getKeys("", {})).sort()).toEqual(["a:1", "a:2"]);
  await store.clear?.("", {});
  expect((await namesOf(vendor)).sort()).toEqual([...strangers].sort());
});

test("300 blobs go in two requests, also one that has a snapshot; one under a lease is named", async () => {
  const { store, vendor } = await setUp();
  const keys = Array.from({ length: 300 }, (_, index) => `a:${index}`);
  for (let start = 0; start < keys.length; start += 50)
    await Promise.all(
      keys.slice(start, start + 50).map((key) => vendor.getBlockBlobClient(key).upload("x", 1)),
    );
  await vendor.getBlobClient("a:1").createSnapshot();
  await vendor.getBlobClient("a:2").getBlobLeaseClient().acquireLease(-1);
  const failed = await store.removeItems?.(keys);
  expect(failed).toEqual([
    { key: "a:2", cause: expect.objectContaining({ code: "LeaseIdMissing", status: 412 }) },
  ]);
  expect(await namesOf(vendor)).toEqual(["a:2"]);
  expect(azurite.requests.map((line) => line.split(" ")[0]).sort()).toEqual(["DELETE", "POST", "POST"]);
});

test("where batches are refused, blobs go one by one", async () => {
  const { store, vendor } = await setUp();
  for (const key of ["a:1", "a:2"]) await store.setItemRaw?.(key, patternOf(3), {});
  strike(/comp=batch/, { refuse: 403 });
  // What the service did is undone by nobody: the batch had its effect, and deleting again is no fault.
  expect(await store.removeItems?.(["a:1", "a:2", "a:3"])).toEqual([]);
  expect(await namesOf(vendor)).toEqual([]);
  expect(azurite.requests.filter((line) => line.startsWith("DELETE"))).toHaveLength(3);
});

test("a conditional write whose answer got lost has won, and nobody else has", async () => {
  const { store } = await setUp();
  strike(/^PUT/, "lose");
  expect(await store.createIfAbsent?.("lease", patternOf(9))).toBe("created");
  expect(azurite.requests.map((line) => line.split(" ")[0])).toEqual(["PUT", "PUT", "HEAD"]);
  expect(await store.createIfAbsent?.("lease", patternOf(8))).toBe("exists");
  expect(await store.getItemRaw?.("lease", {})).toEqual(patternOf(9));
});

describe("a body that is cut off", () => {
  const [old, next] = [patternOf(4 * MiB), patternOf(3 * MiB).reverse()];

  test("is gone on with", async () => {
    const { store } = await setUp();
    await store.setItemRaw?.("k", old, {});
    azurite.requests.length = 0;
    strike(/^GET/, { cutAfter: MiB });
    expect(Buffer.from((await store.getItemRaw?.("k", {})) as Uint8Array).equals(old)).toBe(true);
    expect(azurite.requests).toHaveLength(2);
  });

  test("that breaks off again and again is an error", async () => {
    const { store } = await setUp();
    await store.setItemRaw?.("k", old, {});
    azurite.requests.length = 0;
    strike(/^GET/, { cutAfter: 1_000 }, 100);
    expect(await rejection(Promise.resolve(store.getItemRaw?.("k", {})))).toMatchObject({ code: "NETWORK" });
    expect(azurite.requests).toHaveLength(4);
  });

  test("is read again from its beginning if the blob was replaced meanwhile: never two halves", async () => {
    const { store, vendor } = await setUp();
    await store.setItemRaw?.("k", old, {});
    azurite.requests.length = 0;
    let replaced: Promise<unknown> = Promise.resolve();
    strike(/^GET/, { cutAfter: MiB }, 1, async () => {
      replaced = vendor.getBlockBlobClient("k").upload(next, next.length);
      await replaced;
    });
    const bytes = (await store.getItemRaw?.("k", {})) as Uint8Array;
    await replaced;
    expect(Buffer.from(bytes).equals(next)).toBe(true);
  });
});

test("of a value that is too large, little is fetched", async () => {
  const { store } = await setUp();
  await store.setItemRaw?.("k", new Uint8Array(64 * MiB), {});
  azurite.bodyBytes = 0;
  expect(await store.getItemRaw?.("k", { maxBytes: 1_000 })).toBeNull();
  await expect.poll(() => azurite.bodyBytes).toBeLessThan(32 * MiB);
});

test("progress is told while bytes come, and an abort ends the read with its reason", async () => {
  const { store } = await setUp();
  await store.setItemRaw?.("k", new Uint8Array(8 * MiB), {});
  let progress = 0;
  await store.getItemRaw?.("k", { onProgress: () => ++progress });
  expect(progress).toBeGreaterThan(4);
  strike(/^GET/, "hold");
  const leaving = new AbortController();
  const read = rejection(Promise.resolve(store.getItemRaw?.("k", { signal: leaving.signal })));
  leaving.abort(new Error("not wanted"));
  expect(String(await read)).toBe("Error: not wanted");
});

describe("errors", () => {
  test("a service that does not answer is TIMEOUT", async () => {
    const { store } = await setUp({ timeoutMs: 300 });
    azurite.fault = () => "hold";
    for (const call of [
      () => store.getItemRaw?.("k", {}),
      () => store.setItemRaw?.("k", patternOf(3), {}),
      () => store.removeItem?.("k", {}),
      () => store.getKeys("", {}),
      () => store.createIfAbsent?.("k", patternOf(3)),
    ])
      expect(await rejection(Promise.resolve(call()))).toMatchObject({ code: "TIMEOUT" });
  });

  test("a container that is missing is a fault, and no missing value", async () => {
    const store = azureBlobAdapter({ connectionString: azurite.connectionString, container: "no-such" });
    for (const call of [
      () => store.getItemRaw?.("k", {}),
      () => store.hasItem("k", {}),
      () => store.removeItem?.("k", {}),
      () => store.getKeys("", {}),
    ])
      expect(await rejection(Promise.resolve(call()))).toMatchObject({
        code: "ContainerNotFound",
        status: 404,
      });
    expect(await store.removeItems?.(["k"])).toEqual([
      { key: "k", cause: expect.objectContaining({ code: "ContainerNotFound" }) },
    ]);
  });

  test("hold neither key nor signature", async () => {
    const { vendor } = await setUp();
    const key = Buffer.from("a wrong key, sixty-four bytes of it or so").toString("base64");
    const connectionString = azurite.connectionString.replace(/AccountKey=[^;]+/, `AccountKey=${key}`);
    const byKey = azureBlobAdapter({ connectionString, container: vendor.containerName });
    const url = (await signedUrl(vendor)).replace(/sig=[^&]+/, "sig=hush%2Bhush%3D");
    const failures = [byKey, azureBlobAdapter({ url })].map((store) =>
      rejection(Promise.resolve(store.getItemRaw?.("k", {}))),
    );
    for (const failure of await Promise.all(failures)) {
      expect(failure).toMatchObject({ status: 403 });
      expect(inspect(failure, { depth: 10, showHidden: true })).not.toMatch(/hush|a wrong|YSB3cm9uZ/);
    }
    expect(inspect([byKey, azureBlobAdapter({ url })], { depth: 10 })).not.toMatch(/hush|YSB3cm9uZ/);
  });
});

test("two managers share a transfer, and find, verify, prune and clean what it stored", async () => {
  const { vendor, store } = await setUp();
  const { connectionString } = azurite;
  const lease = { heartbeatMs: 200, ttlMs: 5_000, pollMs: 20 };
  const other = azureBlobAdapter({ connectionString, container: vendor.containerName });
  const managers = [store, other].map((storage) =>
    createTestManager(api, { storage, lease, chunkBytes: MiB }),
  );
  api.faults.linkBytesPerSecond = 4 * MiB;
  const expected = { sha256: await api.image(slug, version).sha256 };
  const images = await Promise.all(managers.map(({ manager }) => manager.get(slug, version)));
  for (const image of await Promise.all(images.map(collect))) expect(image).toMatchObject(expected);
  expect(api.counters.transfers).toBe(1);
  const [{ manager }, { manager: second }] = managers as [(typeof managers)[0], (typeof managers)[0]];
  expect(await collect(await second.get(slug, version, { cache: "only-if-cached" }))).toMatchObject(expected);
  expect(await manager.verify()).toMatchObject({ chunks: 8, damaged: [] });
  await manager.prune({});
  await manager.cleanCache();
  expect(await namesOf(vendor)).toEqual([]);
  for (const { events } of managers) expect(events.of("store-fault")).toEqual([]);
  await Promise.all(managers.map((one) => one.manager.close()));
});
