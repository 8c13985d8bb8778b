// A project of its own that has the built package installed, and the suites' entries bundled for it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";
import manifest from "../../../package.json" with { type: "json" };
import { installPackage } from "../../package/pack.ts";

/** The project. */
export interface Project {
  readonly directory: string;
  /** Bundles an entry of `test/runtimes/entries` into a file beside the installed package. */
  bundle(entry: string, output: string): Promise<void>;
  remove(): Promise<void>;
}

/** Packs the package as it is built and installs it. */
export async function createProject(): Promise<Project> {
  const directory = await mkdtemp(join(tmpdir(), "runtimes-test-"));
  await installPackage(directory);
  return {
    directory,
    bundle: (entry, output) => bundleEntry(entry, join(directory, output), directory),
    remove: () => rm(directory, { recursive: true }),
  };
}

async function bundleEntry(entry: string, outfile: string, project: string): Promise<void> {
  const entryPoints = [fileURLToPath(new URL(`../entries/${entry}`, import.meta.url))];
  const isWorker = entry.startsWith("workerd");
  const options: BuildOptions = {
    ...common,
    entryPoints,
    outfile,
    plugins: [builtPackage(project, isWorker)],
  };
  if (isWorker) await build({ ...options, ...forWorker });
  else await build({ ...options, external: ["node:*", "bun:*", "unstorage", `${manifest.name}/*`] });
}

const common: BuildOptions = { bundle: true, format: "esm", target: "es2022", logLevel: "warning" };
// Fails on any import of Node, since nothing is there to resolve it.
const forWorker: BuildOptions = { platform: "neutral", mainFields: ["module", "main"] };

/**
 * Puts the installed package in the place of the sources: tests are typed by these, but what runs is the build. A source
 * that no subpath exports can't be had.
 */
function builtPackage(project: string, isInlined: boolean): Plugin {
  return {
    name: "built-package",
    setup({ onResolve, resolve }) {
      onResolve({ filter: /\/src\// }, ({ path, kind }) => {
        const subpath = subpathOf(path);
        if (!isInlined) return { path: subpath, external: true };
        return resolve(subpath, { resolveDir: project, kind });
      });
    },
  };
}

/** Subpaths whose source has another name. */
const subpaths: Readonly<Record<string, string>> = {
  core: ".",
  "core/http": "./http",
  "adapters/boot-files": "./boot-files",
  "adapters/node": "./node",
};

function subpathOf(source: string): string {
  const entry = /\/src\/(core|core\/http|adapters\/[a-z0-9-]+)\/index\.ts$/.exec(source)?.[1];
  if (entry === undefined) throw new Error(`${source} is not what a subpath exports`);
  const subpath = subpaths[entry] ?? `./${entry}`;
  if (!(subpath in manifest.exports)) throw new Error(`${source} is not exported`);
  return manifest.name + subpath.slice(1);
}
