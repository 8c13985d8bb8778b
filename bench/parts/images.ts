// How cost grows with the number of stored images: 1, 20 and 200 of 500 chunks each, none of them shared.
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { eachOf } from "../../src/core/each.ts";
import { imageId } from "../../src/core/identity.ts";
import {
  createImageManager,
  type ImageManager,
  type ImageSource,
  type StoreDriver,
} from "../../src/core/index.ts";
import { createByteStore } from "../../src/core/store/byte-store.ts";
import { writeChunk } from "../../src/core/store/chunk-store.ts";
import { imageDigest, type Manifest, writeManifest } from "../../src/core/store/manifest.ts";
import { placeOf } from "../../test/support/chunk-place.ts";
import { type Bench, flush } from "../bench.ts";
import { median, type Part, rounded } from "../report/part.ts";

const counts = [1, 20, 200];
const chunksOfEach = 500;
/** Far less than a real one, so that 100,000 of them have room: what is measured is the cost of a chunk, not of its bytes. */
const chunkBytes = 1024;
const imageBytes = chunksOfEach * chunkBytes;
const hourMs = 60 * 60 * 1000;
const [deviceType, version] = ["bench", "1.0.0"];

const getOne = "get one of them";

/** What is timed, in the order of the table. All but the last leave the store as it is. */
const tasks: readonly (readonly [string, (manager: ImageManager, images: number) => Promise<unknown>])[] = [
  [getOne, async (manager) => drain(await manager.get(deviceType, version, offline))],
  ["list", (manager) => drain(manager.list())],
  ["prune, nothing to do", (manager) => manager.prune()],
  ["verify, every chunk", (manager) => manager.verify()],
  ["prune half of them", (manager, images) => manager.prune({ maxBytes: (images / 2) * imageBytes })],
];
const offline = { cache: "only-if-cached" } as const;

/** Each count has a store of its own, over plain files. */
export async function growthByImages({ rounds, log }: Bench): Promise<Part> {
  const times = new Map<number, number[]>();
  await inStore((driver) => measure(driver, 5, 1)); // warms the code up
  for (const images of counts) {
    times.set(images, await inStore((driver) => measure(driver, images, rounds)));
    log(`${images} images`);
  }
  const msOf = (task: number, images: number) => times.get(images)![task]!;
  return {
    title: `Cost by number of images, fs, ${chunksOfEach} chunks an image, none shared`,
    table: tasks.map(([task], index) => ({
      task,
      ...Object.fromEntries(counts.map((images) => [`${images}, ms`, rounded(msOf(index, images), 1)])),
    })),
    goals: [],
    curves: {
      title: "an image stored, by images",
      lines: tasks.map(([task], index) => ({
        name: task,
        // A get is of one image, however many there are; the others go through all.
        points: counts.map((images) => ({
          x: images,
          y: msOf(index, images) / (task === getOne ? 1 : images),
        })),
      })),
    },
  };
}

async function inStore<T>(work: (driver: StoreDriver) => Promise<T>): Promise<T> {
  const base = await mkdtemp(join(tmpdir(), "bench-"));
  try {
    return await work(fsAdapter({ base }));
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

/** Milliseconds of each task over so many images: medians where it can be done again, with nothing left to write before each. */
async function measure(driver: StoreDriver, images: number, rounds: number): Promise<number[]> {
  for (let number = 0; number < images; number++) await storeImage(driver, number);
  let timeMs = Date.now();
  const manager = createImageManager({ source, storage: driver, now: () => timeMs });
  const medians: number[] = [];
  for (const [index, [, run]] of tasks.entries()) {
    const repeats = index === tasks.length - 1 ? 1 : rounds;
    const times: number[] = [];
    for (let round = 0; round < repeats; round++) {
      await flush();
      const startMs = performance.now();
      await run(manager, images);
      times.push(performance.now() - startMs);
      timeMs += hourMs;
    }
    medians.push(median(times));
  }
  if ((await drain(manager.list())) !== Math.floor(images / 2)) throw new Error("The last prune went wrong");
  await manager.close();
  return medians;
}

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
  const place = placeOf(store);
  const bodies = Array.from({ length: chunksOfEach }, (_, index) => {
    const bytes = new Uint8Array(chunkBytes);
    new DataView(bytes.buffer).setUint32(0, 1 + number * chunksOfEach + index);
    return bytes;
  });
  const chunks = bodies.map((bytes) => createHash("sha256").update(bytes).digest("hex"));
  await eachOf([...chunks.keys()], (index) => writeChunk(place, chunks[index]!, bodies[index]!));
  const identity = { source: source.id, scope: null, deviceType, version: `1.0.${number}`, variant: {} };
  const image = { size: imageBytes, chunkBytes, chunks };
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
