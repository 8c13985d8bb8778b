// What holds in workerd alone, where a request shares no promise with another one and ends with its response: real requests,
// each with a manager of its own, over one bucket.
import { settles } from "../../../scripts/services/daemon.ts";
import { type BalenaApi, fixtureSlugs, startBalenaApi } from "../../support/balena-api/index.ts";
import type { ImageQuestion } from "../entries/workerd-images.ts";
import { deepEqual, equal, ok } from "../suites/assert.ts";
import { type ImagesWorker, startImagesWorker } from "./images-worker.ts";
import { inLanes } from "./lanes.ts";
import { type Result, resultOf } from "./results.ts";

interface Bench {
  readonly api: BalenaApi;
  readonly worker: ImagesWorker;
  /** For an image that nobody has asked for yet. */
  readonly question: ImageQuestion;
  /** Gets it whole, compares its SHA-256 with the upstream's, and says where it came from. */
  deliver(question: ImageQuestion): Promise<string>;
}

const KiB = 1024;
const chunkBytes = KiB * KiB;
const imageBytes = 6 * chunkBytes;
/** What arrives before a fill is broken off: some chunks, and far from all. */
const partBytes = 3 * chunkBytes;
/** The image shrinks to about a fifth. */
const gzBytesPerSecond = chunkBytes / 2;
/** A second, so that nobody waits long for one that is gone. */
const lease = { heartbeatMs: 100, ttlMs: 1_000, pollMs: 20 };
const range = { start: 300_000, end: 600_001 };

/** Checks every rule in a Worker with these flags. */
export async function testEdgeRules(project: string, compatibilityFlags: string[]): Promise<Result[]> {
  const checks = Object.entries(rules).map(([name, rule]) => async () => {
    const worker = await startImagesWorker(project, compatibilityFlags);
    return check(name, rule, worker).finally(() => worker.close());
  });
  return inLanes(3, checks);
}

async function check(name: string, rule: (typeof rules)[string], worker: ImagesWorker): Promise<Result> {
  await using api = await startBalenaApi({ imageBytes, holeFree: true, downloads: "with-validators" });
  const question = { apiUrl: api.url, deviceType: fixtureSlugs.main, version: "6.1.0", lease };
  // Slow enough for a busy machine to store each chunk before the next one is there, and for the journal to name the first of them.
  api.faults.linkBytesPerSecond = chunkBytes;
  const deliver = async (asked: ImageQuestion) => {
    const { origin, sha256 } = await worker.get(asked);
    equal(sha256, await api.image(asked.deviceType, asked.version).sha256, "SHA-256");
    return origin;
  };
  try {
    const note = await rule({ api, worker, question, deliver });
    return { ...resultOf(`edge :: ${name}`, "passed"), ...(note !== undefined && { note }) };
  } catch (error) {
    return resultOf(`edge :: ${name}`, "failed", String((error as Error).stack));
  }
}

/** Some tell what they counted. */
const rules: Record<string, (bench: Bench) => Promise<string | undefined>> = {
  "two requests at once for a cold image share one transfer": async ({ api, question, deliver }) => {
    api.faults.linkBytesPerSecond = gzBytesPerSecond;
    deepEqual(await Promise.all([deliver(question), deliver(question)]), ["network", "network"]);
    const { transfers } = api.counters;
    equal(transfers, 1, "upstream transfers");
    return `${transfers} upstream transfer`;
  },
  "waitUntil carries a fill past a response of a range": async (bench) => {
    const question = { ...bench.question, fileType: ".img" as const };
    const { bytes } = await bench.worker.get({ ...question, range, outlives: true });
    equal(bytes, range.end - range.start, "bytes of the range");
    return isFilledByTheFirst(bench, question);
  },
  "waitUntil carries a fill past a client that leaves": async (bench) => {
    const question = { ...bench.question, fileType: ".img" as const };
    await bench.worker.leaveAfter(partBytes, { ...question, outlives: true });
    return isFilledByTheFirst(bench, question);
  },
  "a range without waitUntil cuts its fill off; the next request takes it up by a range": async (bench) => {
    const question = { ...bench.question, fileType: ".img" as const };
    const { bytes } = await bench.worker.get({ ...question, range: { start: 0, end: partBytes } });
    equal(bytes, partBytes, "bytes of the range");
    return isTakenUp(bench, question);
  },
  "a client that leaves cuts a fill off; the next request takes it up by a range": async (bench) => {
    const question = { ...bench.question, fileType: ".img" as const };
    await bench.worker.leaveAfter(partBytes, question);
    return isTakenUp(bench, question);
  },
  "a Worker that ends cuts a fill off; the next request takes it up by a range": async (bench) => {
    const question = { ...bench.question, fileType: ".img" as const, outlives: true };
    await bench.worker.leaveAfter(partBytes, question);
    await bench.worker.restart();
    return isTakenUp(bench, question);
  },
  "a .gz that was cut off is fetched again, and compared": async ({ api, worker, question, deliver }) => {
    api.faults.linkBytesPerSecond = gzBytesPerSecond;
    await worker.leaveAfter(partBytes, question);
    await isCutOff(api, await api.image(question.deviceType, question.version).gzBytes());
    equal(await deliver(question), "network", "origin");
    const asked = downloadsOf(api);
    deepEqual(
      [asked.length, asked.at(-1)?.headers.range],
      [2, undefined],
      "downloads, and the last one's range",
    );
    equal((await worker.get(question)).origin, "cache", "origin afterwards");
    return undefined;
  },
  "who follows a request that is cut off goes on by itself": async ({ api, worker, question, deliver }) => {
    const asked = { ...question, fileType: ".img" as const };
    const leaving = worker.leaveAfter(partBytes, asked);
    ok(await settles(() => api.counters.transfers === 1, 5_000), "a transfer");
    equal(await deliver(asked), "network", "origin");
    await leaving;
    equal(api.counters.transfers, 2, "upstream transfers");
    return againOf(api);
  },
  "no token follows a redirect to another origin": async ({ api, question, deliver }) => {
    api.faults.redirect = { to: "other-origin" };
    const { token } = api;
    await deliver({ ...question, deviceType: fixtureSlugs.private, version: "6.1.1", token });
    const elsewhere = api.counters.requestLog.filter(({ listener }) => listener === "files");
    const [seen] = elsewhere.map(({ headers, url }) => JSON.stringify({ headers, url }));
    ok(seen !== undefined && !seen.includes(token) && !seen.includes("authorization"), `it got ${seen}`);
    const there = downloadsOf(api).filter(({ listener }) => listener === "api");
    deepEqual(
      there.map(({ headers }) => headers.authorization),
      [`Bearer ${token}`],
      "tokens at the API",
    );
    return `headers there: ${Object.keys(elsewhere[0]?.headers ?? {}).join(", ")}`;
  },
};

/** The image gets into the bucket with nobody asking for it, and then no request goes upstream. */
async function isFilledByTheFirst(
  { api, worker, deliver }: Bench,
  question: ImageQuestion,
): Promise<undefined> {
  const isThere = () =>
    worker.get({ ...question, cache: "only-if-cached" }).then(
      () => true,
      () => false,
    );
  equal(await isThere(), false, "whether it was there at once");
  ok(await settles(isThere, 30_000), "the fill");
  equal(api.counters.transfers, 1, "upstream transfers");
  api.counters.reset();
  equal(await deliver(question), "cache", "origin");
  equal(api.counters.requests, 0, "upstream requests of the next get");
}

/** The next request asks for the rest alone, and delivers the whole. */
async function isTakenUp({ api, worker, deliver }: Bench, question: ImageQuestion): Promise<string> {
  await isCutOff(api, imageBytes);
  equal(await deliver(question), "network", "origin");
  const asked = downloadsOf(api);
  deepEqual([asked.length, asked.at(-1)?.status], [2, 206], "downloads, and the last one's status");
  equal((await worker.get(question)).origin, "cache", "origin afterwards");
  return againOf(api);
}

/** The transfer ends far from its end. */
async function isCutOff({ counters }: BalenaApi, fileBytes: number): Promise<void> {
  ok(await settles(() => counters.openConnections === 0, 5_000), "the end of the transfer");
  ok(counters.bytesSent < 0.8 * fileBytes, `${counters.bytesSent} bytes were sent`);
}

/** Bytes that were sent twice, as after a kill: at the most two chunks, and what had come since the journal's last segment, in a second. */
function againOf({ counters }: BalenaApi): string {
  const againBytes = counters.bytesSent - imageBytes;
  ok(againBytes >= 0 && againBytes <= 3 * chunkBytes, `${againBytes} bytes were fetched again`);
  return `${Math.round(againBytes / KiB)} KiB fetched again`;
}

function downloadsOf({ counters }: BalenaApi) {
  return counters.requestLog.filter(({ url }) => url.includes("/download?"));
}
