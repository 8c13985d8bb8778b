// What is counted, not timed: requests, transfers, bytes fetched again and bytes stored.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { createImageManager, type GetOptions } from "../../src/core/index.ts";
import {
  type BalenaApi,
  repeatableImages,
  type ServedImage,
  startBalenaApi,
} from "../../test/support/balena-api/index.ts";
import { bytesIn } from "../../test/support/bytes-in.ts";
import { startChild } from "../../test/support/children.ts";
import { image } from "../image.ts";
import { atMost, type Goal, type Part } from "../report/part.ts";

const MiB = 1024 * 1024;

/** All counts, over images as small as each of them allows. */
export async function counts(): Promise<Part> {
  const goals = [
    ...(await requestsOfRepeatedGets()),
    await transfersOfProcesses(),
    await fetchedAgainAfterKill(),
    await storedForPair(),
  ];
  return { title: "Counts", table: [], goals };
}

const exactly = (what: string, goal: number, found: number): Goal => ({
  what,
  goal: `${goal}`,
  found: `${found}`,
  isReached: found === goal,
});

async function requestsOfRepeatedGets(): Promise<Goal[]> {
  return withStore({}, async (api, base) => {
    const count = async (maxAgeMs: number, version: string) => {
      await using manager = managerOn(api, base, maxAgeMs);
      await drain(manager, version);
      api.counters.reset();
      await drain(manager, version);
      return api.counters.requests;
    };
    const day = 24 * 60 * 60 * 1000;
    return [
      exactly("requests of a repeated get within maxAge", 0, await count(day, "^6.0.0")),
      exactly("requests of a repeated get of an exact version", 1, await count(0, image.version)),
      exactly("requests of a repeated get of a range", 2, await count(0, "^6.0.0")),
    ];
  });
}

async function transfersOfProcesses(): Promise<Goal> {
  return withStore({ linkBytesPerSecond: 32 * MiB }, async (api, base) => {
    const started = Array.from({ length: 8 }, () => startChild(taskOn(api, base, {})).ended());
    const sha256 = await api.image(image.deviceType, image.version).sha256;
    for (const report of await Promise.all(started))
      if (report.sha256 !== sha256) throw new Error(`A process got other bytes: ${report.error}`);
    return exactly("transfers of 8 processes on one fs store", 1, api.counters.transfers);
  });
}

async function fetchedAgainAfterKill(): Promise<Goal> {
  const imageBytes = 64 * MiB;
  return withStore({ linkBytesPerSecond: 8 * MiB, holeFree: true }, async (api, base) => {
    const task = { ...taskOn(api, base, { fileType: ".img" }), chunkBytes: MiB };
    const killed = startChild(task);
    await killed.delivered(imageBytes / 2);
    killed.kill("SIGKILL");
    const { bytes } = await killed.ended();
    const before = api.counters.bytesSent;
    await startChild(task).ended();
    const again = (api.counters.bytesSent - before - (imageBytes - bytes)) / MiB;
    return atMost("fetched again after a kill at 50 %, raw, strong ETag", 2, Math.max(0, again), " chunks");
  });
}

/** One file differs: at the default chunk size that is one chunk, so the image is no smaller than a real one. */
async function storedForPair(): Promise<Goal> {
  return withStore({ imageBytes: 256 * MiB }, async (api, base) => {
    await using manager = managerOn(api, base, 0);
    for (const developmentMode of [false, true]) await drain(manager, image.version, { developmentMode });
    const nonZero = 2 * nonZeroBytes(api.image(image.deviceType, image.version)); // they differ in a few hundred bytes
    const stored = await bytesIn(base);
    return atMost("stored for a dev + prod pair / two files' non-zero bytes", 0.55, stored / nonZero);
  });
}

function nonZeroBytes({ size, bytes }: ServedImage): number {
  let count = 0;
  for (let at = 0; at < size; at += 4 * MiB)
    for (const byte of bytes(at, at + 4 * MiB)) if (byte !== 0) count += 1;
  return count;
}

function managerOn(api: BalenaApi, base: string, maxAgeMs: number) {
  return createImageManager({
    source: balenaApiSource({ apiUrl: api.url, configure: "upstream" }),
    storage: fsAdapter({ base }),
    freshness: { maxAgeMs },
  });
}

async function drain(
  manager: ReturnType<typeof managerOn>,
  version: string,
  options?: GetOptions,
): Promise<void> {
  const stream = await manager.get(image.deviceType, version, options);
  for await (const _ of stream);
  await stream.committed();
}

function taskOn(api: BalenaApi, base: string, options: GetOptions) {
  return { apiUrl: api.url, base, ...image, options, chunkBytes: 4 * MiB };
}

async function withStore<T>(
  options: { linkBytesPerSecond?: number; holeFree?: boolean; imageBytes?: number },
  work: (api: BalenaApi, base: string) => Promise<T>,
): Promise<T> {
  await using api = await startBalenaApi({
    ...repeatableImages,
    imageBytes: 64 * MiB,
    downloads: "with-validators",
    ...options,
  });
  const base = await mkdtemp(join(tmpdir(), "bench-"));
  api.faults.linkBytesPerSecond = options.linkBytesPerSecond;
  try {
    return await work(api, base);
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}
