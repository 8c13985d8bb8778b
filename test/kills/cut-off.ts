// `npm run kills:cut-off -- --seconds 30 --ttl 10 --megabytes 2560 --link 12`: gets an image whose largest part is 40 % of so many raw megabytes, over a
// link of so many megabytes a second. Each process is killed after the same time, as a Worker's fill is cut off, until one has stored the
// image. Says what each run inflated again before it fetched more, and the largest part that such runs can finish.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { StoredImage } from "../support/balena-api/image.ts";
import { type BalenaApi, startBalenaApi } from "../support/balena-api/index.ts";
import { type ChildReport, startChild } from "../support/children.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "30" },
    /** Of the lease, in seconds: how long a run waits for a dead owner. The default of the library. */
    ttl: { type: "string", default: "10" },
    megabytes: { type: "string", default: "2560" },
    link: { type: "string", default: "12" },
    runs: { type: "string", default: "40" },
    /** Inflate with zlib itself. */
    zlib: { type: "boolean", default: false },
  },
});
const [deviceType, version] = ["raspberrypi4-64", "6.1.0"];
const runMs = Number(values.seconds) * 1000;
const ttlMs = Number(values.ttl) * 1000;
const lease = { heartbeatMs: ttlMs / 5, ttlMs, pollMs: 250 };

interface Run {
  readonly part: number;
  readonly fromByte: number;
  /** Until it asked for the rest of a part; what came before that is what it had to do again. */
  readonly askedMs: number;
}

const api = await startBalenaApi({
  assets: true,
  imageBytes: Math.ceil(Number(values.megabytes) * 1e6),
  holeFree: true,
});
const image = api.image(deviceType, version) as StoredImage;
const parts = await image.parts();
const sha256 = await image.sha256;
console.log(`parts, raw: ${parts.map(({ len }) => len).join(", ")}`);
api.faults.linkBytesPerSecond = Number(values.link) * 1e6;
const base = await mkdtemp(join(tmpdir(), "cut-off-"));
const rates: number[] = [];
try {
  for (let run = 1; ; run++) {
    if (run > Number(values.runs)) throw new Error("The image was not finished");
    const { report, rest } = await oneRun(api);
    const rate = rest && rateOf(rest);
    if (rate) rates.push(rate);
    console.log(
      JSON.stringify({ run, ...rest, rawBytesPerS: rate, cutOff: report.events.includes("cut-off") }),
    );
    if (!report.isCommitted) continue;
    if (report.sha256 !== sha256) throw new Error("The image is not right");
    break;
  }
  const rate = Math.min(...rates);
  const left = (runMs - ttlMs) / 1000;
  console.log(
    `A run inflates ${Math.round(rate / 1e6)} MB/s again, so runs of ${values.seconds} s, of which ${ttlMs / 1000} go to the dead owner's lease, ` +
      `finish parts of up to ${((rate * left) / 1e9).toFixed(1)} GB`,
  );
} finally {
  await rm(base, { recursive: true, force: true });
  await api.close();
}

async function oneRun(upstream: BalenaApi): Promise<{ report: ChildReport; rest: Run | undefined }> {
  upstream.counters.reset();
  const startedMs = performance.now();
  const child = startChild({
    apiUrl: upstream.url,
    base,
    deviceType,
    version,
    chunkBytes: 4 * 1024 * 1024,
    lease,
    isZlib: values.zlib,
  });
  const over = new AbortController();
  const ended = child.ended().finally(() => over.abort());
  const cut = sleep(runMs, undefined, { signal: over.signal }).then(
    () => child.kill("SIGKILL"),
    () => undefined,
  );
  const rest = await firstRest(upstream, startedMs, over.signal);
  const report = await ended;
  await cut;
  return { report, rest };
}

async function firstRest(
  upstream: BalenaApi,
  startedMs: number,
  signal: AbortSignal,
): Promise<Run | undefined> {
  while (!signal.aborted) {
    const asked = upstream.counters.requestLog.find(({ headers }) => headers.range !== undefined);
    if (asked) {
      const part = Number(/part-(\d+)/.exec(asked.url)?.[1]);
      const fromByte = Number(/\d+/.exec(asked.headers.range!));
      return { part, fromByte, askedMs: Math.round(performance.now() - startedMs) };
    }
    await sleep(20, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

/** Raw bytes of the part that were inflated again, a second. Looking at finished parts is in the time. */
function rateOf({ part, fromByte, askedMs }: Run): number | undefined {
  const { len, zLen } = parts[part]!;
  const raw = (fromByte / zLen) * len;
  // What takes no time says nothing about the rate.
  return raw > 100e6 ? Math.round(raw / ((askedMs - ttlMs) / 1000)) : undefined;
}
