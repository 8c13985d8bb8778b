// Repeated gets of what is kept, whole and in pieces: ours verifies every byte, most others none.
import { alternate, type Bench, mediansOf, type Upstream } from "../bench.ts";
import type { Cost } from "../measure.ts";
import { atLeast, type Part, rounded } from "../report/part.ts";
import { openSide } from "../sides.ts";

const MiB = 1024 * 1024;
const verifying = new Set([
  ...["ours, fs", "ours, fs, pieces freed", "ours, memory"],
  ...["cacache", "fetch to file, hashed"],
]);
const wholeSides = [
  ...["ours, fs", "ours, fs, pieces freed", "ours, memory", "version 10", "cacache", "huggingface/hub"],
  ...["fetch to file", "fetch to file, hashed", "unstorage fs", "cp"],
];

/** The whole image. */
export async function repeatedGet(bench: Bench, upstream: Upstream, label = ""): Promise<Part> {
  const { facts } = upstream;
  const costs = await repeatedGets(bench, upstream, wholeSides);
  const ms = (name: string) => mediansOf(costs.get(name)!).ms;
  const ours = ms("ours, fs");
  return {
    title: `Repeated get${label}`,
    table: wholeSides.map((name) => ({
      side: name,
      ms: Math.round(ms(name)),
      "CPU ms": Math.round(mediansOf(costs.get(name)!).cpuMs),
      "MB/s": Math.round(facts.imageBytes / 1000 / ms(name)),
      verifies: verifying.has(name) ? "every byte" : "nothing",
      "ours, fs is faster by": `${rounded(ms(name) / ours)}x`,
    })),
    goals: [
      atLeast(`repeated get${label}, against version 10's hit, unverified`, 2, ms("version 10") / ours),
      atLeast(`repeated get${label}, against cacache's verified stream`, 2.5, ms("cacache") / ours),
    ],
    bars: wholeSides.map((name) => ({ group: `Repeated get${label}`, name, ms: ms(name) })),
  };
}

/** What it costs each of the sides. */
export function repeatedGets(
  { rounds }: Bench,
  { facts }: Upstream,
  names: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<Map<string, Cost[]>> {
  const filled = new Set<string>();
  return alternate(names, { upstream: facts, environment }, rounds, async (side) => {
    if (!filled.has(side.name)) await side.first({ fileType: ".img" });
    filled.add(side.name);
    // Once for nothing: while the others had their turns, the kernel may have dropped these files from memory.
    await side.repeated({ fileType: ".img" });
    return side.repeated({ fileType: ".img" });
  });
}

/** 1 MiB at a time from places at random, the same for both sides. */
export async function randomRanges(bench: Bench, upstream: Upstream): Promise<Part> {
  const { facts } = upstream;
  const count = 200;
  const places = Array.from({ length: count }, () => ({
    start: Math.floor(Math.random() * (facts.imageBytes - MiB)),
    bytes: MiB,
  }));
  const names = ["ours, fs", "fetch to file"];
  const filled = new Set<string>();
  const costs = await alternate(names, { upstream: facts }, bench.rounds, async (side) => {
    if (!filled.has(side.name)) await side.first({ fileType: ".img" });
    filled.add(side.name);
    return side.ranges(places);
  });
  return {
    title: `${count} ranges of 1 MiB at random places (ours verifies the whole chunks around them)`,
    table: names.map((name) => ({
      side: name === "fetch to file" ? "read from a file" : name,
      "ms a range": rounded(mediansOf(costs.get(name)!).ms / count),
    })),
    goals: [],
  };
}

/** Many readers of one image: cold and warm. */
export async function readers(bench: Bench, upstream: Upstream): Promise<Part> {
  const table: Record<string, string | number>[] = [];
  for (const count of [1, 10, 50, 100]) {
    // A process each: what is read off is its memory.
    await using side = await openSide("ours, fs", { upstream: upstream.facts });
    await upstream.reset();
    const first = await side.first({ fileType: ".img", readers: count });
    const { transfers } = await upstream.traffic();
    const again = await side.repeated({ fileType: ".img", readers: count });
    table.push({
      readers: count,
      "first get, ms": Math.round(first.ms),
      transfers,
      "repeated get, ms": Math.round(again.ms),
      "repeated, MB/s over all": Math.round((count * upstream.facts.imageBytes) / 1000 / again.ms),
      "peak RSS, MiB": Math.round(again.peakRssBytes / MiB),
    });
    bench.log(`${count} readers`);
  }
  const line = (name: string, column: string) => ({
    name,
    points: table.map((row) => ({
      x: Number(row["readers"]),
      y: Number(row[column]) / Number(row["readers"]),
    })),
  });
  const fifty = table.find(({ readers }) => readers === 50)!;
  const found = Number(fifty["transfers"]);
  return {
    title: "Readers at once in one process, fs",
    table,
    goals: [
      {
        what: "upstream transfers of 50 gets in a process",
        goal: "1",
        found: `${found}`,
        isReached: found === 1,
      },
    ],
    curves: {
      title: "a reader, by readers at once",
      lines: [
        line("first get", "first get, ms"),
        line("repeated get", "repeated get, ms"),
        line("peak memory", "peak RSS, MiB"),
      ],
    },
  };
}
