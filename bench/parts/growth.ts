// How cost grows with the size of the image: what a MiB of it takes.
import { alternate, type Bench, mediansOf, openUpstream } from "../bench.ts";
import { type Part, rounded } from "../report/part.ts";

const MiB = 1024 * 1024;

/** From 64 MiB up to the large image, four times as large each time. */
export async function growthBySize({ rounds, largeBytes, log }: Bench): Promise<Part> {
  const table: Record<string, string | number>[] = [];
  for (const imageBytes of sizesUpTo(largeBytes)) {
    await using upstream = await openUpstream({ imageBytes, files: [".img"] });
    const costs = await alternate(["ours, fs"], { upstream: upstream.facts }, rounds, async (side) => {
      const first = await side.first({ fileType: ".img" });
      const again = await side.repeated({ fileType: ".img" });
      await side.clear();
      return { first, again };
    });
    const found = costs.get("ours, fs")!;
    const [first, again] = [mediansOf(found.map((c) => c.first)), mediansOf(found.map((c) => c.again))];
    const mib = imageBytes / MiB;
    table.push({
      "image, MiB": mib,
      "first get, ms": Math.round(first.ms),
      "ms a MiB": rounded(first.ms / mib),
      "repeated get, ms": Math.round(again.ms),
      "repeated, ms a MiB": rounded(again.ms / mib),
    });
    log(`${mib} MiB`);
  }
  const line = (name: string, column: string) => ({
    name,
    points: table.map((row) => ({ x: Number(row["image, MiB"]), y: Number(row[column]) })),
  });
  return {
    title: "Cost by size of the image, fs, .img",
    table,
    goals: [],
    curves: {
      title: "a MiB, by MiB of the image",
      lines: [line("first get", "ms a MiB"), line("repeated get", "repeated, ms a MiB")],
    },
  };
}

function sizesUpTo(largeBytes: number): number[] {
  const sizes: number[] = [];
  for (let bytes = 64 * MiB; bytes < largeBytes; bytes *= 4) sizes.push(bytes);
  return [...sizes, largeBytes];
}
