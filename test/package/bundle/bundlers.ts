// The bundlers, run as their users run them: by their commands, for everything at once, minified.
// The balena SDK stays outside: it requires its own files by computed names, which no bundler can follow.
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const bin = (name: string) => fileURLToPath(new URL(`../../../node_modules/.bin/${name}`, import.meta.url));

/** Where the programs are, where their bundles go, and the node_modules that has the bundlers. */
export interface BundleJob {
  readonly project: string;
  /** Names of the programs, without `.mjs`. */
  readonly entries: readonly string[];
  readonly tools: string;
}

/** A bundler. `bundle` resolves with the file of each program; `runBy` runs them. */
export interface Bundler {
  bundle(job: BundleJob): Promise<(entry: string) => string>;
  readonly runBy: "node" | "bun";
}

const paths = (entries: readonly string[]) => entries.map((entry) => `entries/${entry}.mjs`);

/** By what tables call them. */
export const bundlers: Readonly<Record<string, Bundler>> = {
  // CommonJS, as CDK and SAM bundle a Lambda function.
  "esbuild, cjs": esbuild("esbuild-cjs", ["--format=cjs", "--out-extension:.js=.cjs"], "cjs"),
  // What requires modules of Node needs a `require`: esbuild's documentation says so.
  "esbuild, esm": esbuild(
    "esbuild-esm",
    [
      "--format=esm",
      "--out-extension:.js=.mjs",
      "--banner:js=import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    ],
    "mjs",
  ),
  rolldown: {
    runBy: "node",
    async bundle({ project, entries, tools }) {
      const args = [
        "--dir",
        "out/rolldown",
        "--format",
        "esm",
        "--platform",
        "node",
        "--external",
        "balena-sdk",
        "--minify",
        "--entry-file-names",
        "[name].mjs",
      ];
      await command(
        project,
        join(tools, "rolldown/bin/cli.mjs"),
        ...args,
        ...paths(entries).flatMap((path) => ["--input", path]),
      );
      return (entry) => join(project, `out/rolldown/${entry}.mjs`);
    },
  },
  vite: {
    runBy: "node",
    async bundle({ project, entries, tools }) {
      const input = Object.fromEntries(entries.map((entry) => [entry, `entries/${entry}.mjs`]));
      const build = {
        ssr: true,
        minify: true,
        target: "es2022",
        outDir: "out/vite",
        rollupOptions: { input, output: { entryFileNames: "[name].mjs" } },
      };
      const ssr = { noExternal: true, external: ["balena-sdk"] };
      const config = { logLevel: "warn", ssr, build };
      await writeFile(join(project, "vite.config.mjs"), `export default ${JSON.stringify(config)};\n`);
      await command(project, join(tools, "vite/bin/vite.js"), "build");
      return (entry) => join(project, `out/vite/${entry}.mjs`);
    },
  },
  "bun build": bun("bun", "bun"),
  "bun build, for Node": bun("bun-node", "node"),
};

function esbuild(directory: string, options: string[], extension: string): Bundler {
  return {
    runBy: "node",
    async bundle({ project, entries }) {
      const common = [
        "--bundle",
        "--minify",
        "--platform=node",
        "--external:balena-sdk",
        "--target=node22",
        "--log-level=warning",
        `--outdir=out/${directory}`,
      ];
      await run(bin("esbuild"), [...paths(entries), ...common, ...options], { cwd: project });
      return (entry) => join(project, `out/${directory}/${entry}.${extension}`);
    },
  };
}

function bun(directory: string, target: "bun" | "node"): Bundler {
  return {
    runBy: target,
    async bundle({ project, entries }) {
      const options = [
        "--minify",
        "--external=balena-sdk",
        `--target=${target}`,
        `--outdir=out/${directory}`,
        "--entry-naming=[name].mjs",
      ];
      await run(bin("bun"), ["build", ...paths(entries), ...options], { cwd: project });
      return (entry) => join(project, `out/${directory}/${entry}.mjs`);
    },
  };
}

/** The first one with `node:fs`. */
export const compatibilityDate = "2025-09-15";

/** Bundles a Worker as a deployment would, without the network. Resolves with its script. */
export async function wrangler(
  { project, tools }: Omit<BundleJob, "entries">,
  entry: string,
  isNode: boolean,
): Promise<string> {
  const out = join(project, "out/wrangler", entry);
  await mkdir(out, { recursive: true });
  const flags = isNode ? ["--compatibility-flags", "nodejs_compat"] : [];
  const args = [
    "deploy",
    `entries/${entry}.worker.mjs`,
    "--dry-run",
    "--outdir",
    out,
    "--minify",
    "--name",
    "test",
    ...flags,
  ];
  await command(
    project,
    join(tools, "wrangler/bin/wrangler.js"),
    ...args,
    "--compatibility-date",
    "2025-06-01",
  );
  return join(out, `${entry}.worker.js`);
}

async function command(cwd: string, path: string, ...args: string[]): Promise<void> {
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1", NO_COLOR: "1" };
  await run(process.execPath, [path, ...args], { cwd, env });
}
