// The damage matrix: every kind of damage, to every kind of value, in every kind of store. No wrong byte reaches a consumer, and
// the next get heals.
import type { Driver } from "unstorage";
import memoryDriver from "unstorage/drivers/memory";
import { expect, test } from "vitest";
import { fsAdapter } from "../../../src/adapters/fs/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { GetOptions } from "../../../src/core/index.ts";
import { createByteStore } from "../../../src/core/store/byte-store.ts";
import { decodeSealed } from "../../../src/core/store/json.ts";
import { readManifest } from "../../../src/core/store/manifest.ts";
import { repeatableImages } from "../../support/balena-api/index.ts";
import { arrayOf, rejection } from "../../support/collect.ts";
import { newBase } from "../../support/fs-store.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { processOver } from "../sharing/support.ts";
import { type Damage, damages, delivered, load, orphan, takeSnapshot, wanted } from "./damages.ts";

const api = await sharedApi({
  ...repeatableImages,
  imageBytes: 3 * chunkBytes,
  holeFree: true,
  downloads: "with-validators",
});
const snapshot = await takeSnapshot(api);
/** Nobody but the manager under test renews a lease here: who left one is dead. */
const lease = { heartbeatMs: 10, ttlMs: 25, pollMs: 5 };
const freshness = { maxAgeMs: Number.POSITIVE_INFINITY };
const truths = await Promise.all(
  wanted.map(({ developmentMode }) => api.image(slug, version, { developmentMode }).content()),
);

/** A key of each kind with its value's neighbour, which is one of the same kind. */
const targets = ["chunks", "images", "catalog", "partials", "leases", "uses", "orphans"].map((kind) => {
  const ofKind = [...snapshot.keys()].filter(
    (key) => key.startsWith(`balena-images:v1:${kind}`) && key !== orphan,
  );
  // Segment 0 holds a journal's header, the next its digests: that is the one that could mislead.
  const key = ofKind.find((name) => kind !== "partials" || name.endsWith(":1")) as string;
  return { kind, key, neighbour: ofKind.find((other) => other !== key) };
});

const everyWay = Object.entries(damages);
/** Flipped bits are the same to every store: one of them shows how a store of ours hands a value on that is not sound. */
const oneOfAKind = everyWay.filter(([how]) => !/^(early|middle|late|last) bit/.test(how));

/** With the ways in which values are damaged there, and how many of all tries at least do damage: not every store takes every value. */
const stores: [string, () => Promise<Driver>, typeof everyWay, number][] = [
  ["memoryAdapter", async () => memoryAdapter(), oneOfAKind, 36],
  ["fsAdapter", async () => fsAdapter({ base: await newBase() }), oneOfAKind, 36],
  ["unstorage memory", async () => memoryDriver(), everyWay, 71],
];

interface Tally {
  damages: number;
  gets: number;
  right: number;
  "typed error": number;
  wrong: number;
}

test("the snapshot has a value of every kind", () => {
  for (const { kind, key } of targets) expect(key, kind).toBeDefined();
});

test.each(stores)("%s: each get is right, or rejects with a typed error", async (name, open, ways, least) => {
  const tally: Tally = { damages: 0, gets: 0, right: 0, "typed error": 0, wrong: 0 };
  for (const { kind, key, neighbour } of targets) {
    const tries = ways.map(async ([how, damage]) => {
      const storage = await open();
      await load(storage, snapshot);
      if (!(await damage(storage, key, neighbour))) return;
      tally.damages += 1;
      await tryAll(storage, tally, `${name}: ${kind} ${how}`);
    });
    await Promise.all(tries);
  }
  console.log(`damage matrix: ${name}`, tally);
  expect(tally).toMatchObject({ wrong: 0, gets: tally.right + tally["typed error"] });
  expect(tally.damages).toBeGreaterThanOrEqual(least);
});

/** Gets all images off-line, then on-line, where nothing but the right bytes will do; and keeps house over the damage. */
async function tryAll(storage: Driver, tally: Tally, label: string): Promise<void> {
  let isOnline = false;
  const request: typeof fetch = (...args) =>
    isOnline ? fetch(...args) : Promise.reject(new TypeError("There is no network"));
  const { manager } = processOver(api, { storage, lease, freshness, fetch: request });
  const get = async (index: number, options: GetOptions = {}) => {
    const got = await delivered(manager.get(slug, version, { ...wanted[index], ...options }), truths[index]!);
    tally.gets += 1;
    tally[got] += 1;
    expect(got, label).not.toBe("wrong");
    return got;
  };
  await get(0, { cache: "only-if-cached" });
  await get(1, { cache: "only-if-cached" });
  await get(0);
  isOnline = true;
  for (const index of wanted.keys()) expect(await get(index), label).toBe("right");
  await arrayOf(manager.list());
  if ("capabilities" in storage) {
    await manager.verify({ repair: true });
    expect(await manager.verify(), label).toMatchObject({ damaged: [], unreadable: [] });
    await manager.prune();
  } else expect(await rejection(manager.verify())).toMatchObject({ code: "LISTING_INCOMPLETE" });
  expect(await get(0, { cache: "only-if-cached" }), label).toBe("right");
  await manager.close();
}

/** All values that differ from a value in one bit. */
function* neighboursOf(value: Uint8Array): Generator<Uint8Array<ArrayBuffer>> {
  for (let bit = 0; bit < 8 * value.length; bit++) {
    const flipped = Uint8Array.from(value);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    yield flipped;
  }
}

test("no single bit of a manifest changes which bytes are delivered", async () => {
  const { key } = targets.find(({ kind }) => kind === "images")!;
  const id = key.slice(key.lastIndexOf(":") + 1);
  const storage = memoryAdapter();
  const store = createByteStore(storage, "balena-images");
  await load(storage, new Map([[key, snapshot.get(key)!]]));
  const whole = (await readManifest(store, id))!;
  let misses = 0;
  for (const flipped of neighboursOf(snapshot.get(key)!)) {
    await storage.setItemRaw?.(key, flipped, {});
    const manifest = await readManifest(store, id);
    if (!manifest) misses += 1;
    else {
      const { identity, size, chunkBytes: length, chunks, digest } = manifest;
      expect(whole).toMatchObject({ identity, size, chunkBytes: length, chunks, digest });
    }
  }
  expect(misses).toBeGreaterThan(1000);
});

test.each(["partials", "catalog", "orphans"])("no single bit of %s passes unseen", async (kind) => {
  const { key } = targets.find((target) => target.kind === kind)!;
  const name = key.slice("balena-images:".length);
  const value = snapshot.get(key)!;
  const whole = await decodeSealed(name, Uint8Array.from(value));
  expect(whole).toBeDefined();
  for (const flipped of neighboursOf(value)) {
    const seen = await decodeSealed(name, flipped);
    if (seen !== undefined) expect(seen).toEqual(whole);
  }
});

test("each kind of damage changes the value", async () => {
  const { key, neighbour } = targets[0]!;
  for (const [how, damage] of Object.entries<Damage>(damages)) {
    const storage = memoryDriver();
    await load(storage, snapshot);
    expect(await damage(storage, key, neighbour), how).toBe(true);
    expect(await storage.getItemRaw?.(key, {}), how).not.toEqual(snapshot.get(key));
  }
});
