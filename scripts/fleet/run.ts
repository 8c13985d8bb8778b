// Gets one image as many times as wanted, each configured for another device, and says what that took.
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { nodeHash, nodeInflate } from "../../src/adapters/node/index.ts";
import {
  createImageManager,
  type GetOptions,
  type ImageEdit,
  type ImageManager,
  type ImageSource,
} from "../../src/core/index.ts";
import { read } from "../../test/adapters/boot-files/disks.ts";
import type { BalenaApi } from "../../test/support/balena-api/index.ts";
import { fleetImage, marker, release } from "./plan.ts";
import { searchSecrets } from "./secrets.ts";

/** What is to be done. */
export interface FleetOptions {
  readonly api: BalenaApi;
  /** Directory of the store. */
  readonly base: string;
  readonly count: number;
  /** Called after each image. */
  readonly onImage?: (done: number) => void;
}

/** What the upstream was asked for. */
export interface Traffic {
  readonly requests: number;
  readonly imageBytes: number;
}

/** Of a plain cached image, and of a configured one right after it. */
export interface SecondsPair {
  readonly plain: number;
  readonly edited: number;
}

/** What it took. */
export type FleetReport = Awaited<ReturnType<typeof runFleet>>;

/** Gets a plain image, `count` configured ones, and a development one. */
export async function runFleet({ api, base, count, onImage }: FleetOptions) {
  const told: unknown[] = [];
  const apiKeys = new Set<string>();
  const spans: number[] = [];
  const source = balenaApiSource({ apiUrl: api.url, token: api.token, fetch: keepingKeys(apiKeys) });
  await using images = createImageManager({
    source: countingSource(source, (bytes) => spans.push(bytes)),
    storage: fsAdapter({ base }),
    inflate: nodeInflate,
    hash: nodeHash,
    freshness: { maxAgeMs: 3_600_000 },
    onEvent: (event) => told.push(event),
  });
  const first = await trafficOf(api, () => drain(images, {}));
  await drain(images, {}); // the first read of the stored files warms the kernel's cache
  const pairs: SecondsPair[] = [];
  const spanBytes: number[] = [];
  const memory = watchMemory();
  const fleet = await trafficOf(api, async () => {
    for (let index = 0; index < count; index++) {
      spans.length = 0;
      const image = fleetImage(index, (edit) => counting(edit, (bytes) => spans.push(bytes)));
      const plain = index % 10 === 0 ? await secondsOf(() => drain(images, {})) : undefined;
      const edited = await secondsOf(() => drain(images, image.options));
      if (plain !== undefined) pairs.push({ plain, edited });
      spanBytes.push(spans.reduce((sum, bytes) => sum + bytes, 0));
      onImage?.(index + 1);
    }
  });
  const usedMemory = memory.stop();
  const wrong: number[] = [];
  for (let index = 0; index < count; index += Math.ceil(count / 10))
    if (!(await isRight(images, index, apiKeys))) wrong.push(index);
  const development = await trafficOf(api, () => drain(images, { developmentMode: true }));
  told.push(...(await failures(images)));
  const secrets = await searchSecrets({ base, told, token: api.token, apiKeys });
  return {
    ...{ first, fleet, development, pairs, spanBytes, wrong, secrets },
    keys: apiKeys.size,
    memory: usedMemory,
  };
}

/** Gets an image to its end; a used buffer is let go at once. */
async function drain(images: ImageManager, options: GetOptions): Promise<void> {
  const stream = await images.get(release.deviceType, release.version, options);
  for await (const piece of stream) piece.buffer.transfer(0);
  await stream.committed();
}

/** Whether balena's own reader finds in an image what was asked for, and the image's own keys. */
async function isRight(images: ImageManager, index: number, apiKeys: Set<string>): Promise<boolean> {
  const { options, wifiKey, deviceKey } = fleetImage(index, (edit) => edit);
  const stream = await images.get(release.deviceType, release.version, options);
  const disk = new Uint8Array(await new Response(stream).arrayBuffer());
  const config = JSON.parse(await read(disk, "/config.json"));
  const keyfile = await read(disk, "/system-connections/balena-wifi-01");
  const isOwn = (await read(disk, "/device-key.pem")) === deviceKey.repeat(100);
  const hasKeys = apiKeys.has(config.apiKey) && config.applicationId === 12 && config.localMode === false;
  return isOwn && hasKeys && keyfile.endsWith(`psk=${wifiKey}`);
}

/** Errors of gets whose options have secrets: a span outside, an edit that throws, a fleet of somebody else, a key that can't be. */
async function failures(images: ImageManager): Promise<unknown[]> {
  const { options } = fleetImage(0, (edit) => edit);
  const throwing = async () => Promise.reject(new Error("it can't be done"));
  const attempts: GetOptions[] = [
    { ...options, edit: async ({ size }) => [{ start: size, bytes: new TextEncoder().encode(marker) }] },
    { ...options, edit: throwing },
    { ...options, appId: 404_404 },
    { ...options, wifiKey: `${marker}${"x".repeat(80)}` },
  ];
  const results = await Promise.allSettled(attempts.map((attempt) => drain(images, attempt)));
  return results.map((result) => (result.status === "rejected" ? result.reason : "no error"));
}

async function trafficOf(api: BalenaApi, run: () => Promise<unknown>): Promise<Traffic> {
  const { counters } = api;
  const before = { requests: counters.requests, bytes: counters.bytesSent + counters.assetBytes };
  await run();
  const bytes = counters.bytesSent + counters.assetBytes;
  return { requests: counters.requests - before.requests, imageBytes: bytes - before.bytes };
}

async function secondsOf(run: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return (performance.now() - startedAt) / 1000;
}

function countingSource(source: ImageSource, onSpans: (bytes: number) => void): ImageSource {
  return {
    ...source,
    async derive(image) {
      const derived = await source.derive?.(image);
      return derived && { ...derived, edit: counting(derived.edit, onSpans) };
    },
  };
}

function counting(edit: ImageEdit, onSpans: (bytes: number) => void): ImageEdit {
  return async (image) => {
    const spans = await edit(image);
    onSpans(spans.reduce((sum, { bytes }) => sum + bytes.length, 0));
    return spans;
  };
}

/** A `fetch` that notes each provisioning key that the API makes. */
function keepingKeys(apiKeys: Set<string>): typeof fetch {
  return async (url, init) => {
    const response = await fetch(url, init);
    if (!String(url).endsWith("/download-config")) return response;
    const text = await response.text();
    const { apiKey } = Object(JSON.parse(text)) as { apiKey?: string };
    if (apiKey !== undefined) apiKeys.add(apiKey);
    return new Response(text, response);
  };
}

/** The largest memory of the process, and what it had at the start. The loopback API is part of it. */
function watchMemory() {
  const start = process.memoryUsage.rss();
  let peak = start;
  const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 50);
  return {
    stop() {
      clearInterval(timer);
      return { startBytes: start, peakBytes: Math.max(peak, process.memoryUsage.rss()) };
    },
  };
}
