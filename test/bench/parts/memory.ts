// Peak memory of one get in a process of its own, against a bare `fetch`; and whether it grows with the image.
import { type Bench, openUpstream, type Upstream } from "../bench.ts";
import { atMost, median, type Part } from "../report/part.ts";
import { openSide } from "../sides.ts";
import type { UpstreamFacts } from "../upstream.ts";

const MiB = 1024 * 1024;
/** What the goal is about; how cost grows beyond it is another part's matter. */
const largestBytes = 4096 * MiB;
const slowBytesPerSecond = 100 * MiB;
/** Of the second, whose reader frees its pieces, only the figures are told. */
const sides = ["ours, fs", "ours, fs, pieces freed"];
type Task = "first" | "repeated";

/** Fast and slow readers, first and repeated gets. */
export async function memory(bench: Bench, upstream: Upstream): Promise<Part> {
  const table: Record<string, string | number>[] = [];
  const peaks = new Map<string, number>();
  for (const speed of ["fast", "slow"] as const) {
    const bare = await peakOf(bench, upstream.facts, "fetch to nothing", "first", speed);
    table.push({ side: "fetch to nothing", get: "-", reader: speed, "peak RSS, MiB": mib(bare) });
    for (const side of sides)
      for (const task of ["first", "repeated"] as const) {
        const peak = await peakOf(bench, upstream.facts, side, task, speed);
        if (side === "ours, fs") peaks.set(`${task}, ${speed} reader`, peak - bare);
        table.push({ side, get: task, reader: speed, "peak RSS, MiB": mib(peak) });
      }
  }
  return {
    title: `Peak memory, ${mib(upstream.facts.imageBytes)} MiB .img, medians of ${bench.rounds} processes`,
    table,
    goals: [...peaks].map(([what, bytes]) =>
      atMost(`peak memory over a bare fetch: ${what}`, 64, Math.round(bytes / MiB), " MiB"),
    ),
  };
}

/** A small image and a large one. */
export async function memoryBySize(bench: Bench): Promise<Part> {
  const largeBytes = Math.min(bench.largeBytes, largestBytes);
  const sizes = [256 * MiB, largeBytes];
  const table: Record<string, string | number>[] = [];
  const peaks: Record<Task, number[]> = { first: [], repeated: [] };
  for (const imageBytes of sizes) {
    await using upstream = await openUpstream({ imageBytes, files: [".img"] });
    const bare = await peakOf(bench, upstream.facts, "fetch to nothing", "first", "fast");
    table.push({
      side: "fetch to nothing",
      "image, MiB": mib(imageBytes),
      get: "-",
      "peak RSS, MiB": mib(bare),
    });
    for (const side of sides)
      for (const task of ["first", "repeated"] as const) {
        const peak = await peakOf(bench, upstream.facts, side, task, "fast");
        if (side === "ours, fs") peaks[task].push(peak);
        table.push({ side, "image, MiB": mib(imageBytes), get: task, "peak RSS, MiB": mib(peak) });
      }
  }
  const growth = (task: Task) => peaks[task][1]! / peaks[task][0]!;
  const what = `peak memory, ${mib(largeBytes)} MiB against 256 MiB`;
  return {
    title: "Peak memory by size of the image",
    table,
    goals: [
      atMost(`${what}: first`, 1.1, growth("first"), "x"),
      atMost(`${what}: repeated`, 1.1, growth("repeated"), "x"),
    ],
  };
}

/** Each figure is a process of its own; a repeated get's has not made the first one. */
async function peakOf(
  { rounds }: Bench,
  facts: UpstreamFacts,
  name: string,
  task: Task,
  speed: "fast" | "slow",
): Promise<number> {
  const setting = {
    upstream: facts,
    readerBytesPerSecond: speed === "slow" ? slowBytesPerSecond : undefined,
  };
  const peaks: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await using first = await openSide(name, setting);
    let cost = await first.first({ fileType: ".img" });
    if (task === "repeated") {
      await using again = await openSide(name, { ...setting, base: first.base });
      cost = await again.repeated({ fileType: ".img" });
    }
    peaks.push(cost.peakRssBytes);
  }
  return median(peaks);
}

const mib = (bytes: number) => Math.round(bytes / MiB);
