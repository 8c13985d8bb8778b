// `require` of every subpath gives what `import` gives.
import manifest from "../../../package.json" with { type: "json" };
import { type ProcessRuntime, run } from "./processes.ts";
import { type Result, resultOf } from "./results.ts";

/** Loads each subpath alone, in a process of its own. */
export async function testRequire(runtime: ProcessRuntime, project: string): Promise<Result[]> {
  if (!runtime.name.startsWith("Node")) return [resultOf("require :: all (CommonJS is for Node)", "skipped")];
  const subpaths = Object.keys(manifest.exports).filter((path) => !path.endsWith(".json"));
  return Promise.all(subpaths.map((subpath) => requireOne(runtime, project, subpath)));
}

async function requireOne(runtime: ProcessRuntime, project: string, subpath: string): Promise<Result> {
  const specifier = JSON.stringify(manifest.name + subpath.slice(1));
  const script = `
    const names = (exported) => Object.keys(exported).sort().join();
    const required = names(require(${specifier}));
    import(${specifier}).then((imported) => console.log(required !== "" && required === names(imported)));`;
  const options = { cwd: project, env: {}, limitMs: 30_000 };
  const { exitCode, output } = await run(runtime.binary, ["--input-type=commonjs", "-e", script], options);
  const isFine = exitCode === 0 && output.trim() === "true";
  return resultOf(`require :: ${subpath}`, isFine ? "passed" : "failed", isFine ? undefined : output);
}
