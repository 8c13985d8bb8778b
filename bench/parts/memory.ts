// Peak memory of one get in a process of its own, against a bare `fetch`; and whether it grows with the image.
import { type Bench, openUpstream, type Upstream } from "../bench.ts";
import { atMost, type Goal, median, type Part } from "../report/part.ts";
import { openSide } from "../sides.ts";
import type { UpstreamFacts } from "../upstream.ts";

const MiB = 1024 * 1024;
/** What the goal is about; how cost grows beyond it is another part's matter. */
const largestBytes = 4096 * MiB;
const slowBytesPerSecond = 100 * MiB;
/** The last two, of a reader that frees its pieces, are told, but held against no goal. */
const measured = [
  { side: "fetch to nothing", get: "-" },
  { side: "ours, fs", get: "first" },
  { side: "ours, fs", get: "repeated" },
  { side: "ours, fs, pieces freed", get: "first" },
  { side: "ours, fs, pieces freed", get: "repeated" },
] as const;
type Measured = (typeof measured)[number];
type Peak = Measured & { readonly bytes: number };
type Speed = "fast" | "slow";

/** Fast and slow readers, first and repeated gets. */
export async function memory(bench: Bench, upstream: Upstream): Promise<Part> {
  const table: Record<string, string | number>[] = [];
  const goals: Goal[] = [];
  for (const speed of ["fast", "slow"] as const) {
    const peaks = await peaksOf(bench, upstream.facts, speed);
    for (const { side, get, bytes } of peaks)
      table.push({ side, get, reader: speed, "peak RSS, MiB": mib(bytes) });
    for (const get of ["first", "repeated"] as const) {
      const overMiB = Math.round((oursIn(peaks, get) - peaks[0]!.bytes) / MiB);
      goals.push(atMost(`peak memory over a bare fetch: ${get}, ${speed} reader`, 64, overMiB, " MiB"));
    }
  }
  return {
    title: `Peak memory, ${mib(upstream.facts.imageBytes)} MiB .img, medians of ${bench.rounds} processes`,
    table,
    goals,
  };
}

/** A small image and a large one. */
export async function memoryBySize(bench: Bench): Promise<Part> {
  const largeBytes = Math.min(bench.largeBytes, largestBytes);
  const table: Record<string, string | number>[] = [];
  const measure = async (imageBytes: number) => {
    await using upstream = await openUpstream({ imageBytes, files: [".img"] });
    const peaks = await peaksOf(bench, upstream.facts, "fast");
    for (const { side, get, bytes } of peaks)
      table.push({ side, "image, MiB": mib(imageBytes), get, "peak RSS, MiB": mib(bytes) });
    return peaks;
  };
  const small = await measure(256 * MiB);
  const large = await measure(largeBytes);
  const what = `peak memory, ${mib(largeBytes)} MiB against 256 MiB`;
  return {
    title: "Peak memory by size of the image",
    table,
    goals: (["first", "repeated"] as const).map((get) =>
      atMost(`${what}: ${get}`, 1.1, oursIn(large, get) / oursIn(small, get), "x"),
    ),
  };
}

async function peaksOf(bench: Bench, facts: UpstreamFacts, speed: Speed): Promise<Peak[]> {
  const peaks: Peak[] = [];
  for (const one of measured) peaks.push({ ...one, bytes: await peakOf(bench, facts, one, speed) });
  return peaks;
}

function oursIn(peaks: readonly Peak[], wanted: "first" | "repeated"): number {
  return peaks.find(({ side, get }) => side === "ours, fs" && get === wanted)!.bytes;
}

/** Each figure is a process of its own; a repeated get's has not made the first one. */
async function peakOf(
  { rounds }: Bench,
  facts: UpstreamFacts,
  { side, get }: Measured,
  speed: Speed,
): Promise<number> {
  const setting = {
    upstream: facts,
    readerBytesPerSecond: speed === "slow" ? slowBytesPerSecond : undefined,
  };
  const peaks: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await using first = await openSide(side, setting);
    let cost = await first.first({ fileType: ".img" });
    if (get === "repeated") {
      await using again = await openSide(side, { ...setting, base: first.base });
      cost = await again.repeated({ fileType: ".img" });
    }
    peaks.push(cost.peakRssBytes);
  }
  return median(peaks);
}

const mib = (bytes: number) => Math.round(bytes / MiB);
