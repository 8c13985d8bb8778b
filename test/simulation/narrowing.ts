// What is left out of a run, so that less happens in it: how a run that fails is made small enough to read.
import type { Profile } from "./profile.ts";

/** Less than a seed says. What is missing is as the seed says. */
export interface Narrowing {
  /** Draws everything but the profile another time. */
  readonly draw?: number | undefined;
  readonly processes?: number | undefined;
  readonly versions?: number | undefined;
  /** Callers in each process. */
  readonly callers?: number | undefined;
  /** Calls of each caller. */
  readonly calls?: number | undefined;
  /** How long everything may go wrong. */
  readonly faultyMs?: number | undefined;
  /** Switches of the profile that are off, as `kills` or `store.hangs`. */
  readonly without?: readonly string[] | undefined;
}

/** Facts of the world, not faults. */
const facts = new Set([
  "faultyMs",
  "processes",
  "versions",
  "parts",
  "validators",
  "hasRanges",
  "store.latencyMs",
]);

/** The switches that are on, whatever there are: `kills`, `store.hangs`. */
export function switchesOf(profile: Profile): string[] {
  return pathsOf(profile).filter((path) => !facts.has(path) && Boolean(valueAt(profile, path)));
}

/** The profile with less in it. Throws if there is no such switch. */
export function narrowed(profile: Profile, { processes, versions, without = [] }: Narrowing): Profile {
  const copy = structuredClone(profile);
  const known = pathsOf(copy);
  for (const path of without) {
    if (!known.includes(path) || facts.has(path))
      throw new Error(
        `"${path}" is no switch of a profile: ${known.filter((at) => !facts.has(at)).join(", ")}`,
      );
    turnOff(copy, path);
  }
  return { ...copy, processes: processes ?? copy.processes, versions: versions ?? copy.versions };
}

/** The options of `npm run simulate` that repeat it. */
export function optionsOf(seed: number, narrowing: Narrowing): string {
  const { without = [], faultyMs, ...counts } = narrowing;
  const options = [`--seed ${seed}`];
  for (const [name, count] of Object.entries(counts))
    if (count !== undefined) options.push(`--${name} ${count}`);
  if (faultyMs !== undefined) options.push(`--faulty-ms ${faultyMs}`);
  if (without.length > 0) options.push(`--without ${without.join(",")}`);
  return options.join(" ");
}

type Level = Record<string, unknown>;

function pathsOf(profile: Profile): string[] {
  return Object.entries(profile).flatMap(([name, value]) =>
    typeof value === "object" ? Object.keys(value).map((inner) => `${name}.${inner}`) : [name],
  );
}

function valueAt(profile: Profile, path: string): unknown {
  return path.split(".").reduce<unknown>((level, name) => (level as Level)[name], profile);
}

function turnOff(profile: Profile, path: string): void {
  const names = path.split(".");
  const last = names.pop() as string;
  const level = names.reduce<Level>((outer, name) => outer[name] as Level, profile as unknown as Level);
  if (last === "maxBytes") level[last] = undefined;
  else level[last] = typeof level[last] === "boolean" ? false : 0;
}
