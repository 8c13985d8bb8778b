// First gets: over a link, where bytes on the wire decide, and over an unbounded loopback, where work decides.
import { alternate, type Bench, mediansOf, type Upstream } from "../bench.ts";
import type { Cost } from "../measure.ts";
import { atLeast, atMost, type Part, rounded } from "../report/part.ts";
import { fetchImage } from "../subjects/bytes.ts";
import type { FileType } from "../subjects/subject.ts";

/** As the image is got by default: packed, over a link of that speed. */
export async function firstGetOverLink(bench: Bench, upstream: Upstream): Promise<Part> {
  const names = ["ours, fs", "version 10", "fetch to nothing"];
  const wire = new Map<string, number>();
  await upstream.limit(bench.linkBytesPerSecond);
  const afterwards = async (name: string) => void wire.set(name, (await upstream.traffic()).bytesSent);
  const costs = await costsOf(bench, upstream, names, { fileType: ".gz", afterwards });
  await upstream.limit();
  const { gzBytes } = upstream.facts;
  const ms = (name: string) => mediansOf(costs.get(name)!).ms;
  const ours = ms("ours, fs");
  const mbit = Math.round((bench.linkBytesPerSecond * 8) / 1e6);
  return {
    title: `First get over a link of ${mbit} Mbit/s, .gz`,
    table: names.map((name) => ({
      side: name,
      ms: Math.round(ms(name)),
      "CPU ms": Math.round(mediansOf(costs.get(name)!).cpuMs),
      "ours is faster by": `${rounded(ms(name) / ours)}x`,
      "bytes on the wire / .gz": rounded(wire.get(name)! / gzBytes, 4),
    })),
    goals: [
      atMost("bytes on the wire of a first get / the .gz", 1.01, wire.get("ours, fs")! / gzBytes),
      atLeast(`first get, ${mbit} Mbit/s, against version 10`, 1, ms("version 10") / ours),
      atLeast(`first get, ${mbit} Mbit/s, against fetching to nothing`, 0.95, ms("fetch to nothing") / ours),
    ],
    bars: names.map((name) => ({ group: `First get over ${mbit} Mbit/s`, name, ms: ms(name) })),
  };
}

const unboundedSides = [
  "ours, fs",
  "ours, fs, pieces freed",
  "ours, fs, sha256",
  "ours, memory",
  "version 10",
  "cacache",
  "huggingface/hub",
  "fetch to file",
  "fetch to file, hashed",
  "unstorage fs",
];

/** The raw file as fast as loopback carries it. */
export async function firstGetUnbounded(bench: Bench, upstream: Upstream, label = ""): Promise<Part> {
  const costs = await unboundedFirstGets(bench, upstream, unboundedSides);
  const ms = (name: string) => mediansOf(costs.get(name)!).ms;
  const ours = ms("ours, fs");
  const against = (name: string, goal: number) =>
    atLeast(`first get, unbounded, .img${label}, against ${name}`, goal, ms(name) / ours);
  return {
    title: `First get over unbounded loopback, .img${label}`,
    table: unboundedSides.map((name) => ({
      side: name,
      ms: Math.round(ms(name)),
      "CPU ms": Math.round(mediansOf(costs.get(name)!).cpuMs),
      "ours, fs is faster by": `${rounded(ms(name) / ours)}x`,
    })),
    goals: [against("fetch to file", 1), against("version 10", 1.5), against("cacache", 1.3)],
    bars: unboundedSides.map((name) => ({ group: `First get, unbounded${label}`, name, ms: ms(name) })),
  };
}

/** What it costs each of the sides. */
export function unboundedFirstGets(
  bench: Bench,
  upstream: Upstream,
  names: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<Map<string, Cost[]>> {
  return costsOf(bench, upstream, names, { fileType: ".img", isUnbounded: true, environment });
}

interface Circumstances {
  readonly fileType: FileType;
  readonly isUnbounded?: boolean;
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** What is to be seen before the next side has its turn. */
  readonly afterwards?: (name: string) => Promise<void>;
}

function costsOf(
  { rounds }: Bench,
  upstream: Upstream,
  names: readonly string[],
  { fileType, isUnbounded = false, environment, afterwards }: Circumstances,
): Promise<Map<string, Cost[]>> {
  return alternate(names, { upstream: upstream.facts, environment }, rounds, async (side) => {
    if (isUnbounded) await warm(upstream, fileType);
    await upstream.reset();
    const cost = await side.first({ fileType });
    await afterwards?.(side.name);
    await side.clear();
    return cost;
  });
}

/** No side pays for the kernel having dropped the upstream's file from memory. */
async function warm(upstream: Upstream, fileType: FileType): Promise<void> {
  const { body } = await fetchImage({ upstream: upstream.facts }, fileType);
  for await (const _ of body!);
}
