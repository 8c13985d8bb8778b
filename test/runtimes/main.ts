// Runs the built package on every runtime, each under its own test runner, and prints what came out: `npm run test:runtimes`.
// Arguments narrow it to the runtimes whose names begin so, `package` being the sizes of the bundles and `stores` (`"stores fs"`,
// `"stores redis"`, `"stores s3"`) what runtimes share, and `examples` those that need no server: `npm run test:runtimes -- Node Bun package`.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { testBundles } from "./run/bundles.ts";
import { startControl } from "./run/control.ts";
import { testEdgeRules } from "./run/edge-rules.ts";
import { testExamples } from "./run/examples.ts";
import { testExits } from "./run/exits.ts";
import { inLanes } from "./run/lanes.ts";
import { testLeft } from "./run/left.ts";
import { type ProcessRuntime, processRuntimes, testOnProcess, versionOf } from "./run/processes.ts";
import { createProject, type Project } from "./run/project.ts";
import { testRequire } from "./run/require.ts";
import { type Result, resultOf } from "./run/results.ts";
import { testStores } from "./run/stores.ts";
import { countOf, notesOf, tableByName, tableOf } from "./run/table.ts";
import { testOnWorker } from "./run/worker.ts";

const wanted = process.argv.slice(2);
const isWanted = (name: string) => wanted.length === 0 || wanted.some((start) => name.startsWith(start));

const [control, project] = await Promise.all([startControl(), createProject()]);
const matrix = new Map<string, Result[]>();
try {
  await bundleEntries(project);
  // Two at a time: each of them waits for much of its time.
  await inLanes(2, [
    ...processRuntimes.map((runtime) => () => testProcess(runtime)),
    () => testWorker("workerd", []),
    () => testWorker("workerd + nodejs_compat", ["nodejs_compat"]),
  ]);
  await report();
} finally {
  await control.close();
  await project.remove();
}

async function bundleEntries({ bundle }: Project): Promise<void> {
  const entries = new Map(processRuntimes.map((runtime) => [runtime.bundle, runtime.entry]));
  entries.set("workerd.mjs", "workerd.ts").set("workerd-images.mjs", "workerd-images.ts");
  entries.set("exit.mjs", "exit.ts").set("store.mjs", "store.ts").set("left.mjs", "left.ts");
  for (const [output, entry] of entries) await bundle(entry, output);
}

function testProcess(runtime: ProcessRuntime): Promise<void> {
  return test(runtime.name, async () => {
    const version = await versionOf(runtime);
    const { directory } = project;
    const env = { TEST_CONTROL_URL: control.url, TEST_DIRECTORY: join(directory, "stores", runtime.entry) };
    await mkdir(env.TEST_DIRECTORY, { recursive: true });
    const suites = await testOnProcess(runtime, directory, env);
    const results = [
      ...suites,
      ...(await testExits(runtime, directory, env, [
        { kind: "memory" },
        { kind: "fs", base: join(env.TEST_DIRECTORY, "exit") },
      ])),
      ...(await testLeft(runtime, directory, env, [
        { kind: "memory" },
        { kind: "fs", base: join(env.TEST_DIRECTORY, "left") },
      ])),
      ...(await testRequire(runtime, directory)),
    ];
    return { label: `${runtime.name.split(" ")[0]} ${version}`, results };
  });
}

function testWorker(label: string, flags: string[]): Promise<void> {
  return test(label, async () => {
    const suites = await testOnWorker(project.directory, control.url, flags);
    return { label, results: [...suites, ...(await testEdgeRules(project.directory, flags))] };
  });
}

/** A runtime that does not even come up is a failure, and the others still run. */
async function test(name: string, run: () => Promise<{ label: string; results: Result[] }>): Promise<void> {
  if (!isWanted(name)) return;
  const startMs = performance.now();
  const { label, results } = await run().catch((error) => ({
    label: name,
    results: [resultOf("it runs", "failed", String(error))],
  }));
  matrix.set(label, results);
  console.log(`${label}: ${Math.round((performance.now() - startMs) / 1000)} s`);
}

async function report(): Promise<void> {
  const stores = await testStores(project.directory, { TEST_CONTROL_URL: control.url }, isWanted);
  const examples = isWanted("examples") ? await testExamples(project.directory) : [];
  const bundles = isWanted("package") ? await testBundles(project.directory) : { results: [], lines: [] };
  if (matrix.size > 0) console.log(`\n${tableOf(matrix)}\n`);
  const left = tableByName(matrix, (suite) => suite.startsWith("left ") || suite === "end after");
  if (matrix.size > 0) console.log(`After each of these and close(), nothing is left:\n${left}\n`);
  matrix.set("package", bundles.results).set("stores", stores.results).set("examples", examples);
  for (const note of [...notesOf(matrix), ...stores.lines, "", ...bundles.lines]) console.log(note);
  const failed = countOf(matrix, "failed");
  console.log(`\n${countOf(matrix, "passed")} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}
