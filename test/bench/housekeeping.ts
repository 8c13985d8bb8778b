// What keeping house costs: time to list, prune and verify 20 and 200 images of 500 chunks each, none of them shared. Run by
// `node test/bench/housekeeping.ts [memory|fs]`. The cost may grow no faster than the images do.
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { imageId } from "../../src/core/identity.ts";
import {
  createImageManager,
  type ImageManager,
  type ImageSource,
  type StoreDriver,
} from "../../src/core/index.ts";
import { createByteStore } from "../../src/core/store/byte-store.ts";
import { writeChunk } from "../../src/core/store/chunk-store.ts";
import { eachOf } from "../../src/core/store/each.ts";
import { imageDigest, type Manifest, writeManifest } from "../../src/core/store/manifest.ts";

const counts = [20, 200];
const chunksOfEach = 500;
/** Far less than a real one, so that 100,000 of them have room: what is measured is the cost of a chunk, not of its bytes. */
const chunkBytes = 1024;
const hourMs = 60 * 60 * 1000;

/** What is timed, in the order of the table. Each finds the store as the one before left it. */
const tasks: readonly (readonly [string, (manager: ImageManager, images: number) => Promise<unknown>])[] = [
  ["list (manifests only)", (manager) => drain(manager.list())],
  ["prune, nothing to do", (manager) => manager.prune()],
  ["verify (every chunk)", (manager) => manager.verify()],
  [
    "prune half of them",
    (manager, images) => manager.prune({ maxBytes: (images / 2) * chunksOfEach * chunkBytes }),
  ],
  ["prune the rest", (manager) => manager.prune({ maxBytes: 0 })],
];

/** Nothing is asked upstream here. */
const source: ImageSource = {
  id: "https://bench.invalid",
  resolveDeviceType: async (slug) => slug,
  versions: async () => [],
  request: () => Promise.reject(new Error("There is no upstream")),
};

async function drain(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of items) count += 1;
  return count;
}

/** An image whose chunks no other image has. */
async function storeImage(driver: StoreDriver, number: number): Promise<void> {
  const store = createByteStore(driver, "balena-images");
  const bodies = Array.from({ length: chunksOfEach }, (_, index) => {
    const bytes = new Uint8Array(chunkBytes);
    new DataView(bytes.buffer).setUint32(0, 1 + number * chunksOfEach + index);
    return bytes;
  });
  const chunks = bodies.map((bytes) => createHash("sha256").update(bytes).digest("hex"));
  await eachOf([...chunks.keys()], (index) => writeChunk(store, chunks[index]!, bodies[index]!));
  const identity = {
    source: source.id,
    scope: null,
    deviceType: "bench",
    version: `1.0.${number}`,
    variant: {},
  };
  const image = { size: chunksOfEach * chunkBytes, chunkBytes, chunks };
  const manifest: Manifest = {
    ...image,
    identity,
    mime: "application/octet-stream",
    digest: await imageDigest(image),
    validators: { fileType: ".gz" },
    createdAt: number,
    validatedAt: number,
    pinned: false,
  };
  await writeManifest(store, await imageId(identity), manifest);
}

/** Milliseconds of each task over so many images. */
async function measure(driver: StoreDriver, images: number): Promise<number[]> {
  for (let number = 0; number < images; number++) await storeImage(driver, number);
  let timeMs = Date.now();
  const manager = createImageManager({ source, storage: driver, now: () => timeMs });
  const times: number[] = [];
  for (const [, run] of tasks) {
    const startMs = performance.now();
    await run(manager, images);
    times.push(performance.now() - startMs);
    timeMs += hourMs;
  }
  if ((await drain(manager.list())) > 0)
    throw new Error("Images are left: the last prune did not do its work");
  await manager.close();
  return times;
}

async function openStore(kind: string): Promise<{ driver: StoreDriver; dispose(): Promise<void> }> {
  if (kind === "memory") return { driver: memoryAdapter(), dispose: async () => undefined };
  if (kind !== "fs") throw new Error(`There is no store "${kind}" here: memory or fs`);
  const base = await mkdtemp(join(tmpdir(), "housekeeping-"));
  return { driver: fsAdapter({ base }), dispose: () => rm(base, { recursive: true, force: true }) };
}

const kind = process.argv[2] ?? "memory";
const results: number[][] = [];
// The first round warms the code up, and is thrown away.
for (const images of [5, ...counts]) {
  const { driver, dispose } = await openStore(kind);
  results.push(await measure(driver, images).finally(dispose));
}
const [, few, many] = results as [number[], number[], number[]];
const inMs = (ms: number) => Number(ms.toFixed(1));
const rows = tasks.map(([task], index) => {
  const [fewMs, manyMs] = [few[index]!, many[index]!];
  const ratio = manyMs / counts[1]! / (fewMs / counts[0]!);
  return {
    task,
    [`${counts[0]} images, ms`]: inMs(fewMs),
    [`${counts[1]} images, ms`]: inMs(manyMs),
    "ms an image, few": inMs(fewMs / counts[0]!),
    "ms an image, many": inMs(manyMs / counts[1]!),
    "many : few, per image": Number(ratio.toFixed(2)),
  };
});
console.log(`${kind} store, ${chunksOfEach} chunks an image, none shared; the last column must stay near 1`);
console.table(rows);
