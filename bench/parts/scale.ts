// What a hit, a commit and a removal cost with ten images and with ten thousand, and what the operations over all of them take. Each call is by
// a manager of its own, as on the edge. The images are made up: 4 chunks of a few bytes each.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { createImageManager, type ImageManager, type StoreDriver } from "../../src/core/index.ts";
import { type BalenaApi, repeatableImages, startBalenaApi } from "../../test/support/balena-api/index.ts";
import { faultyDriver } from "../../test/support/faulty-driver.ts";
import { addSyntheticImages } from "../../test/support/synthetic-images.ts";
import type { Bench } from "../bench.ts";
import { image } from "../image.ts";
import { atMost, median, type Part, rounded } from "../report/part.ts";

const counts = [10, 100, 1_000, 10_000];
const chunkBytes = 256 * 1024;
const chunksEach = 4;
const imageBytes = chunksEach * chunkBytes;
/** Rounds of a commit and a removal: with every ninth, records are added up. */
const rounds = 18;
const dayMs = 24 * 60 * 60 * 1000;

interface Cost {
  readonly calls: number;
  readonly ms: number;
  /** How much more memory the process took than before, at most. */
  readonly memoryMiB: number;
}

/** Over plain files, with a cap that is reached. */
export async function scale({ log }: Bench): Promise<Part> {
  const costs = new Map<number, Record<string, Cost>>();
  for (const images of counts) {
    costs.set(images, await onStore(images));
    log(`${images} images`);
  }
  const [few, many] = [costs.get(counts[0]!)!, costs.get(counts.at(-1)!)!];
  return {
    title: `Store calls, ms and memory by number of images, fs, ${chunksEach} chunks an image, at maxBytes`,
    table: Object.keys(few).map((operation) => ({
      operation,
      ...Object.fromEntries(counts.map((images) => [`${images}`, shown(costs.get(images)![operation]!)])),
    })),
    goals: ["hit", "commit", "remove"].map((operation) =>
      atMost(
        `store calls of a ${operation} with 10,000 images / with 10`,
        1.1,
        many[operation]!.calls / few[operation]!.calls,
      ),
    ),
  };
}

const shown = ({ calls, ms, memoryMiB }: Cost) =>
  `${rounded(calls, 1)} calls, ${rounded(ms, 1)} ms, ${Math.round(memoryMiB)} MiB`;

async function onStore(images: number): Promise<Record<string, Cost>> {
  await using api = await startBalenaApi({ ...repeatableImages, imageBytes, holeFree: true });
  const base = await mkdtemp(join(tmpdir(), "bench-"));
  try {
    const driver = fsAdapter({ base });
    const made = { count: images, chunksEach, chunkBytes, createdAt: Date.now() - dayMs, withChunks: true };
    await addSyntheticImages(driver, made, api.url, "made-up");
    return await measure(api, driver, images * imageBytes);
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

async function measure(api: BalenaApi, driver: StoreDriver, maxBytes: number) {
  const storage = faultyDriver(driver);
  const cost = async (run: (manager: ImageManager) => Promise<unknown>): Promise<Cost> => {
    await using manager = createImageManager({
      source: balenaApiSource({ apiUrl: api.url }),
      storage,
      maxBytes,
      chunkBytes,
      freshness: { maxAgeMs: dayMs },
    });
    storage.calls.splice(0);
    const memory = watchMemory();
    const started = performance.now();
    await run(manager);
    const ms = performance.now() - started;
    return { calls: storage.calls.length, ms, memoryMiB: memory.stop() };
  };
  const { deviceType, version } = image;
  const get = (manager: ImageManager) => manager.get(deviceType, version).then(drain);
  const prune = await cost((manager) => manager.prune());
  const single: Record<string, Cost[]> = { commit: [], hit: [], remove: [] };
  for (let round = 0; round < rounds; round++) {
    single["commit"]!.push(await cost((manager) => manager.prefetch(deviceType, version)));
    single["hit"]!.push(await cost(get));
    single["remove"]!.push(await cost((manager) => manager.remove(deviceType, version)));
  }
  return {
    ...Object.fromEntries(Object.entries(single).map(([name, costs]) => [name, typical(costs)])),
    list: await cost((manager) => drain(manager.list())),
    prune,
    verify: await cost((manager) => manager.verify()),
  };
}

/** Calls on average, because every ninth costs more; of the time, the middle. */
const typical = (costs: readonly Cost[]): Cost => ({
  calls: costs.reduce((sum, { calls }) => sum + calls, 0) / costs.length,
  ms: median(costs.map(({ ms }) => ms)),
  memoryMiB: Math.max(...costs.map(({ memoryMiB }) => memoryMiB)),
});

function watchMemory() {
  const before = process.memoryUsage.rss();
  let most = before;
  const look = () => {
    most = Math.max(most, process.memoryUsage.rss());
  };
  const timer = setInterval(look, 10);
  return {
    stop() {
      clearInterval(timer);
      look();
      return (most - before) / 2 ** 20;
    },
  };
}

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}
