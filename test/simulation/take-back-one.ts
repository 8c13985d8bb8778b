// Takes code out of a copy of the sources, one thing at a time, and runs the simulation there until a seed notices.
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Edit } from "./taken-back.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const copied = ["package.json", "src", "test/simulation", "test/soak"];

/** What came of one thing that was taken out. */
export interface Finding {
  /** The first seed that fails; none if all passed. */
  readonly seed: number | undefined;
  readonly seeds: number;
  readonly decisions: number;
  readonly violation: string | undefined;
}

/** How long it is looked for. */
export interface Effort {
  readonly seeds: number;
  readonly minutes: number;
}

/** A copy of the sources without something. */
export interface Copy {
  /** Runs `npm run simulate` there, and resolves with what it prints. */
  simulate(options: readonly string[]): Promise<string>;
  remove(): Promise<void>;
}

/** The text without something. Throws if the place is not there, or there twice: then the list has to follow the code. */
export function without(text: string, { file, find, put }: Edit): string {
  const [before, after, ...more] = text.split(find);
  if (before === undefined || after === undefined || more.length > 0)
    throw new Error(
      `${file} has ${more.length + 1 - (after === undefined ? 1 : 0)} places instead of one with: ${find}`,
    );
  return before + put + after;
}

/** The text of a file of the project. */
export const sourceOf = (file: string): Promise<string> => readFile(join(root, file), "utf8");

/** Makes a copy, and takes something out of it. */
export async function copyWithout(edits: readonly Edit[]): Promise<Copy> {
  const directory = await mkdtemp(join(tmpdir(), "taken-out-"));
  await mkdir(join(directory, "test"));
  for (const name of copied) await cp(join(root, name), join(directory, name), { recursive: true });
  await symlink(join(root, "node_modules"), join(directory, "node_modules"));
  for (const edit of edits) {
    const path = join(directory, edit.file);
    await writeFile(path, without(await readFile(path, "utf8"), edit));
  }
  return {
    simulate: (options) => run(directory, options),
    remove: () => rm(directory, { recursive: true }),
  };
}

/** Runs seeds until one fails. */
export async function firstToFail(copy: Copy, { seeds, minutes }: Effort): Promise<Finding> {
  const told = await copy.simulate([`--seeds=${seeds}`, `--minutes=${minutes}`, "--first=1"]);
  const [, seed, violation] = /^seed (\d+): (.*)$/m.exec(told) ?? [];
  const [, decisions] = /^\d+ seeds, (\d+) decisions/m.exec(told) ?? [];
  const [, passed] = /^(\d+) passed/m.exec(told) ?? [];
  if (decisions === undefined)
    throw new Error(`The simulation did not come to its end:\n${told.slice(-4_000)}`);
  return {
    seed: seed === undefined ? undefined : Number(seed),
    seeds: Number(passed) + (seed === undefined ? 0 : 1),
    decisions: Number(decisions),
    violation,
  };
}

function run(directory: string, options: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, ["test/simulation/main.ts", ...options], { cwd: directory });
  let told = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (told += data));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve(told));
  });
}
