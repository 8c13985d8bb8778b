// Node, Bun and Deno: where npm put each, and how each runs a script and a test file.
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Result, resultOf, resultsInJunit } from "./results.ts";

/** A runtime with a test runner of its own. */
export interface ProcessRuntime {
  readonly name: string;
  /** Its binary, as npm installs it. */
  readonly binary: string;
  /** What installs it, for who has it not. */
  readonly install: string;
  /** File of `test/runtimes/entries`, and the name that the runner wants for the bundle. */
  readonly entry: string;
  readonly bundle: string;
  /** Arguments that run a test file and write a JUnit file. */
  testArguments(file: string, junit: string): string[];
  /** Arguments that run a script. */
  scriptArguments(file: string): string[];
}

const packages = fileURLToPath(new URL("../../../node_modules", import.meta.url));
// What the library and the SDK need; writing is for the fs store and the runner's report.
const denoPermissions = ["--allow-net", "--allow-read", "--allow-write", "--allow-env", "--allow-sys"];

/** All of them. */
export const processRuntimes: readonly ProcessRuntime[] = [
  node("Node 22", "node22", "npm install --save-dev node22@npm:node@^22"),
  node("Node 24", "node", "npm install --save-dev node@^24"),
  node("Node 26", "node26", "npm install --save-dev node26@npm:node@^26"),
  {
    name: "Bun",
    binary: join(packages, ".bin/bun"),
    install: "npm install --save-dev bun",
    entry: "bun.ts",
    bundle: "bun.test.mjs",
    testArguments: (file, junit) => [
      ...["test", "--timeout", "30000", "--reporter=junit", `--reporter-outfile=${junit}`],
      `./${file}`,
    ],
    scriptArguments: (file) => [file],
  },
  {
    name: "Deno",
    binary: join(packages, ".bin/deno"),
    install: "npm install --save-dev deno",
    entry: "deno.ts",
    bundle: "deno.mjs",
    testArguments: (file, junit) => ["test", ...denoPermissions, `--junit-path=${junit}`, file],
    scriptArguments: (file) => ["run", ...denoPermissions, file],
  },
];

function node(name: string, packageName: string, install: string): ProcessRuntime {
  return {
    name,
    // Not from .bin: all three would like to be `node` there.
    binary: join(packages, packageName, "bin/node"),
    install,
    entry: "node.ts",
    bundle: "node.mjs",
    testArguments: (file, junit) => [
      ...["--test", "--test-timeout=60000", "--test-reporter=junit", `--test-reporter-destination=${junit}`],
      file,
    ],
    scriptArguments: (file) => [file],
  };
}

/** How a process ended. */
export interface Ended {
  readonly exitCode: number | null;
  readonly output: string;
  /** Milliseconds from its last line to its end. */
  readonly lingeredMs: number;
}

/** Runs a process to its end, or ends it after a time. */
export async function run(
  binary: string,
  args: string[],
  options: { cwd: string; env: Record<string, string>; limitMs: number },
): Promise<Ended> {
  const { cwd, env, limitMs } = options;
  const child = spawn(binary, args, {
    cwd,
    env: { ...process.env, ...env, NO_COLOR: "1" },
    timeout: limitMs,
  });
  let output = "";
  let lastMs = performance.now();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      lastMs = performance.now();
    });
  }
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject).once("close", resolve);
  });
  return { exitCode, output, lingeredMs: performance.now() - lastMs };
}

/** Runs the suites under a runtime's own runner. */
export async function testOnProcess(
  runtime: ProcessRuntime,
  project: string,
  env: Record<string, string>,
): Promise<Result[]> {
  const junit = join(project, `${runtime.name}.xml`);
  const args = runtime.testArguments(runtime.bundle, junit);
  const { exitCode, output } = await run(runtime.binary, args, { cwd: project, env, limitMs: 120_000 });
  const results = resultsInJunit(await readFile(junit, "utf8").catch(() => ""));
  const isExplained = results.some(({ outcome }) => outcome === "failed");
  if ((exitCode === 0 && results.length > 0) || isExplained) return results;
  // The runner found what no test did: a crash, a leak, a hang.
  return [...results, resultOf("the runner exits with 0", "failed", `${exitCode}\n${output.slice(-3000)}`)];
}

/** The version of a runtime that is there and is the one it should be; or what is wrong, and how to mend it. */
export async function versionOf({ name, binary, install }: ProcessRuntime): Promise<string> {
  const options = { cwd: packages, env: {}, limitMs: 30_000 };
  const { output } = await run(binary, ["--version"], options).catch(() => {
    throw new Error(`${name} is not installed: run \`${install}\``);
  });
  const version = /\d+\.\d+\.\d+/.exec(output)?.[0] ?? "of no known version";
  const major = /\d+/.exec(name)?.[0];
  if (major === undefined || version.startsWith(`${major}.`)) return version;
  throw new Error(`${name} is ${version}: run \`${install}\``);
}
