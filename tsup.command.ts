// How the command is built, after the rest: src/cli as two files of ES modules, which use the package by its own exports.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { defineConfig, type Options } from "tsup";

/** What the command imports of the sources is no part of it: it is there already, under the names that anybody uses. */
const byExports: NonNullable<Options["esbuildPlugins"]>[number] = {
  name: "by-exports",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/(core|adapters)\/.*index\.ts$/ }, ({ path }) => ({
      path: path
        .replace(/\/index\.ts$/, "")
        .replace(/^\.\.\/(core\/?|(?=adapters))/, "balena-image-manager/")
        .replace(/\/$/, "")
        .replace("adapters/node", "node"),
      external: true,
    }));
    onResolve({ filter: /^\.\/main\.ts$/ }, () => ({ path: "./command.js", external: true }));
  },
};

const shared: Options = {
  ...{ format: "esm", target: "es2022", platform: "node", removeNodeProtocol: false },
  ...{ clean: false, dts: false, splitting: false, esbuildPlugins: [byExports] },
};

export default defineConfig([
  { ...shared, entry: { bin: "src/cli/bin.ts" } },
  {
    ...shared,
    entry: { command: "src/cli/main.ts" },
    // The client of the progress bar is CommonJS.
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module";\nconst require = requireFrom(import.meta.url);',
    },
    footer: { js: licences("cli-progress") },
  },
]);

/** The licence of a bundled package, and of all that it needs. */
function licences(name: string, from = import.meta.url, seen = new Set<string>()): string {
  if (seen.has(name)) return "";
  seen.add(name);
  const manifest = createRequire(from).resolve(`${name}/package.json`);
  const directory = dirname(manifest);
  const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`${name} has no licence to keep`);
  const text = readFileSync(join(directory, file), "utf8").trim().replaceAll("*/", "* /");
  const { version, dependencies = {} } = JSON.parse(readFileSync(manifest, "utf8"));
  const others = Object.keys(dependencies).map((other) => licences(other, manifest, seen));
  return `/*!\nThis file contains ${name} ${version}:\n\n${text}\n*/\n${others.join("")}`;
}
