// Makes a run that fails as small as it gets: it leaves things out, one after the other, as long as the run fails in the same way.
import { type Narrowing, switchesOf } from "./narrowing.ts";
import type { Result } from "./simulate.ts";

/** A run that fails, and what was left out of it. */
export interface Shrunk {
  readonly narrowing: Narrowing;
  readonly result: Result;
  /** How many runs it took. */
  readonly runs: number;
}

/** Runs a seed with less in it. */
export type Run = (seed: number, narrowing: Narrowing) => Promise<Result>;

/** From where, and how hard it is tried. */
export interface ShrinkOptions {
  readonly start?: Narrowing;
  /** How often a smaller world is drawn, until it fails too: less in it means other chances. */
  readonly draws?: number;
  isOver?(): boolean;
}

/** Shrinks a seed that fails, until nothing more can be left out or it is over. Throws if it does not fail. */
export async function shrink(
  seed: number,
  run: Run,
  { start = {}, draws = 12, isOver = () => false }: ShrinkOptions = {},
): Promise<Shrunk> {
  let runs = 1;
  let result = await run(seed, start);
  let narrowing = start;
  const [first] = result.violations;
  if (first === undefined) throw new Error(`Seed ${seed} does not fail`);
  const kind = kindOf(first);

  const fails = async (candidate: Narrowing): Promise<boolean> => {
    runs += 1;
    const attempt = await run(seed, candidate);
    if (!attempt.violations.some((violation) => kindOf(violation) === kind)) return false;
    [narrowing, result] = [candidate, attempt];
    return true;
  };
  const failsOnceDrawn = async (candidate: Narrowing): Promise<boolean> => {
    const { draw = 0 } = narrowing;
    for (let more = 0; more < draws && !isOver(); more++) {
      const isOther = draw + more > 0;
      if (await fails(isOther ? { ...candidate, draw: draw + more } : candidate)) return true;
    }
    return false;
  };

  for (let isSmaller = true; isSmaller && !isOver(); ) {
    isSmaller = false;
    // What was found is the start of the candidates after it, so they are made one at a time.
    for (const make of steps(result)) {
      const candidate = make(narrowing, result);
      if (candidate && (await failsOnceDrawn(candidate))) isSmaller = true;
    }
  }
  return { narrowing, result, runs };
}

/** What of a violation is the same in other runs: no numbers, names or digests. */
export const kindOf = (violation: string): string =>
  violation
    .split("\n", 1)[0]!
    .replace(/\b[0-9a-f]{6,64}\b/g, "#")
    .replace(/\d+(\.\d+)*/g, "#");

/** Leaves one thing more out, or `undefined` if there is no such thing. */
type Step = (narrowing: Narrowing, result: Result) => Narrowing | undefined;

function steps({ profile }: Result): Step[] {
  const on = switchesOf(profile);
  const half = Math.ceil(on.length / 2);
  return [
    less("faultyMs", (result) => result.profile.faultyMs, 500),
    ...[on.slice(0, half), on.slice(half)].filter((several) => several.length > 1).map(without),
    less("processes", (result) => result.profile.processes, 1),
    less("versions", (result) => result.profile.versions, 1),
    less("callers", () => 2, 1),
    less("calls", () => 16, 1),
    ...on.map((name) => without([name])),
  ];
}

const without =
  (names: readonly string[]): Step =>
  (narrowing, { profile }) => {
    const on = new Set(switchesOf(profile));
    const off = names.filter((name) => on.has(name));
    if (off.length === 0) return undefined;
    return { ...narrowing, without: [...(narrowing.without ?? []), ...off].sort() };
  };

/** Half of a count, as far as it goes. */
const less =
  (
    name: "processes" | "versions" | "callers" | "calls" | "faultyMs",
    full: (result: Result) => number,
    least: number,
  ): Step =>
  (narrowing, result) => {
    const count = narrowing[name] ?? full(result);
    const smaller = Math.max(least, Math.floor(count / 2));
    return smaller < count ? { ...narrowing, [name]: smaller } : undefined;
  };
