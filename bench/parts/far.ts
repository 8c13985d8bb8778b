// A store that is far away: real S3 behind a line with latency and a cap. What a hit costs there, against downloading the `.gz` over a line
// of the same kind, and how many requests a first get makes.
import { withServices } from "../../scripts/services/services.ts";
import { type Bucket, newBucket } from "../../test/support/s3-service.ts";
import { startThrottledProxy, type ThrottledProxy } from "../../test/support/throttled-proxy.ts";
import { type Bench, mediansOf, openUpstream, type Upstream } from "../bench.ts";
import { startCallee } from "../calls.ts";
import { compiled } from "../compiled.ts";
import type { FarCost, FarGet, Lying } from "../far-side.ts";
import { image } from "../image.ts";
import { atLeast, atMost, median, type Part, rounded } from "../report/part.ts";

/** As from a site to a region: every side has the same line. */
const line = { bytesPerSecond: 25e6, latencyMs: 40 };
const chunkBytes = 4 * 1024 * 1024;
const lyings: readonly Lying[] = ["raw", "gzip", "zstd"];

interface Far {
  readonly proxy: ThrottledProxy;
  readonly upstream: Upstream;
  /** Where the `.gz` is at this end of the line. */
  readonly gzUrl: string;
  /** The buckets of each way to lie, and their first gets. */
  readonly stores: ReadonlyMap<Lying, { readonly bucket: Bucket; readonly first: FarCost }>;
  readonly gzName: string;
}

/** One line, all sides in turn. */
export function farStore(bench: Bench): Promise<Part> {
  return withServices(async () => {
    await using upstream = await openUpstream({ imageBytes: bench.imageBytes, asBalena: true });
    const far = await prepared(bench, upstream);
    try {
      return await measured(bench, far);
    } finally {
      far.proxy.close();
    }
  });
}

/** Fills the stores. The line is not limited then: what is counted are requests. */
async function prepared(bench: Bench, upstream: Upstream): Promise<Far> {
  const stores = new Map<Lying, { bucket: Bucket; first: FarCost }>();
  for (const lying of lyings) {
    bench.log(`filling a store with ${lying} chunks`);
    const bucket = await newBucket();
    const first = await call<FarCost>("get", {
      upstream: upstream.facts,
      access: bucket.access,
      lying,
    } satisfies FarGet);
    stores.set(lying, { bucket, first });
  }
  const endpoint = new URL(String(stores.get("raw")!.bucket.access.endpoint));
  const proxy = await startThrottledProxy(Number(endpoint.port), line.bytesPerSecond);
  proxy.latencyMs = line.latencyMs;
  const [[, atLine]] = (await upstream.line(line)) as [[string, string]];
  const path = `/download?deviceType=${image.deviceType}&version=${image.version}&fileType=.gz`;
  const gzName = "image.gz";
  const gz = await (await fetch(upstream.facts.url + path)).bytes();
  await stores.get("raw")!.bucket.write(gzName, gz);
  return { proxy, upstream, gzUrl: atLine + path, stores, gzName };
}

async function measured({ imageBytes, rounds, log }: Bench, far: Far): Promise<Part> {
  const { facts } = far.upstream;
  const atLine = (bucket: Bucket) => ({ ...bucket.access, endpoint: `http://127.0.0.1:${far.proxy.port}` });
  const sides: [name: string, run: () => Promise<FarCost>][] = [
    ...[...far.stores].map(([lying, { bucket }]): [string, () => Promise<FarCost>] => [
      `ours, ${lying}`,
      () => call("get", { upstream: facts, access: atLine(bucket), lying } satisfies FarGet),
    ]),
    [
      "AWS client, the .gz",
      () => call("vendor", { ...atLine(far.stores.get("raw")!.bucket), key: far.gzName }),
    ],
    ["the .gz of the upstream", () => call("download", far.gzUrl)],
  ];
  const costs = new Map<string, (FarCost & { wireBytes: number })[]>(sides.map(([name]) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const index of sides.keys()) {
      const [name, run] = sides[(index + round) % sides.length]!;
      log(name);
      const before = far.proxy.bytes();
      const cost = await run();
      costs.get(name)!.push({ ...cost, wireBytes: far.proxy.bytes() - before });
    }
  }
  const ms = (name: string) => mediansOf(costs.get(name)!).ms;
  const download = ms("the .gz of the upstream");
  const chunks = Math.ceil(imageBytes / chunkBytes);
  return {
    title: `Far store: S3, ${line.latencyMs} ms a request, ${line.bytesPerSecond / 1e6} MB/s in all`,
    table: sides.map(([name]) => {
      const of = costs.get(name)!;
      const middle = (pick: (cost: (typeof of)[number]) => number) => median(of.map(pick));
      const wireBytes = name.startsWith("the .gz") ? facts.gzBytes : middle((cost) => cost.wireBytes);
      return {
        side: name,
        ms: Math.round(ms(name)),
        "first byte, ms": Math.round(middle((cost) => cost.firstByteMs)),
        "CPU ms": Math.round(mediansOf(of).cpuMs),
        "MB over the line": rounded(wireBytes / 1e6, 1),
        requests: middle((cost) => cost.requests),
        "against the download": `${rounded(download / ms(name))}x`,
      };
    }),
    goals: [
      atLeast("hit from a far S3, zstd, against downloading the .gz", 1, download / ms("ours, zstd")),
      atLeast("hit from a far S3, gzip, against downloading the .gz", 0.88, download / ms("ours, gzip")),
      ...lyings.map((lying) =>
        atMost(
          `store requests of a first get from parts, S3, ${lying}, a chunk`,
          1.6,
          far.stores.get(lying)!.first.requests / chunks,
        ),
      ),
    ],
    bars: sides.map(([name]) => ({ group: "Hit from a far S3 (40 ms, 25 MB/s)", name, ms: ms(name) })),
  };
}

/** Each get in a process of its own: no connection is open yet, and nothing is in memory. */
async function call<T>(task: string, argument: unknown): Promise<T> {
  await using callee = startCallee(await compiled("./far-side.ts"));
  return await callee.call<T>(task, argument); // before it is disposed
}
