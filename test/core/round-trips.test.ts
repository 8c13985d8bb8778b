/** What of a far store a hit waits for: each answer that is waited for alone is a round trip. */
import { expect, onTestFinished, test } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { collect } from "../support/collect.ts";
import { type FaultyDriver, faultyDriver, type StoreFault } from "../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 512 * 1024, holeFree: true });
const fresh = { freshness: { maxAgeMs: 1e9 } };

/** A store that has the image, and a manager over it. */
async function stocked(options: object = {}) {
  const store = memoryAdapter();
  await createTestManager(api, { storage: store }).manager.prefetch(slug, version);
  const storage = faultyDriver(store);
  const { manager } = createTestManager(api, { storage, ...options });
  onTestFinished(() => manager.close());
  return { storage, manager };
}

const kindsRead = ({ calls }: FaultyDriver) =>
  calls.filter(({ operation }) => operation === "getItemRaw").map(({ key }) => key.split(":")[2]);

/** Settles when a key of that kind is read. */
function asked({ calls }: FaultyDriver, kind: string): Promise<unknown> {
  const isAsked = () => calls.some(({ key }) => key.includes(`:${kind}:`));
  return expect.poll(isAsked).toBe(true);
}

/** Answers only once another kind has been asked for: if that waits for this answer, nothing ever comes. */
const answersAfter = (storage: FaultyDriver, kind: string): StoreFault => ({
  operation: "getItemRaw",
  key: kind === "images" ? /:catalog:/ : /:images:/,
  does: asked(storage, kind),
});

test("an exact version: the manifest is read while the catalog is, and only once", async () => {
  const { storage, manager } = await stocked(fresh);
  storage.faults.push(answersAfter(storage, "images"));
  expect((await collect(await manager.get(slug, version))).bytes).toBe(512 * 1024);
  expect(kindsRead(storage).sort()).toEqual(["catalog", "chunks", "chunks", "images"]);
});

test("the same the other way round", async () => {
  const { storage, manager } = await stocked(fresh);
  storage.faults.push(answersAfter(storage, "catalog"));
  expect((await collect(await manager.get(slug, version))).bytes).toBe(512 * 1024);
});

test("a range: the list says which version it is, then the manifest is read, and only once", async () => {
  const { storage, manager } = await stocked(fresh);
  expect((await collect(await manager.get(slug, "^6.0.0"))).bytes).toBe(512 * 1024);
  expect(kindsRead(storage)).toEqual(["catalog", "images", "chunks", "chunks"]);
});

test("a copy that the upstream confirms is delivered before that is noted", async () => {
  const { storage, manager } = await stocked();
  const delivered = Promise.withResolvers<void>();
  storage.faults.push({ operation: "setItemRaw", key: /:images:/, does: delivered.promise });
  expect((await collect(await manager.get(slug, version))).bytes).toBe(512 * 1024);
  // The next get waits for the note, and asks the upstream again only because there is no maxAge.
  const next = manager.get(slug, version);
  delivered.resolve();
  expect((await collect(await next)).bytes).toBe(512 * 1024);
});
