// Packs the built package once and installs it into two projects, where tests use it as anybody would; and installs the tools of these tests.
import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ProvidedContext } from "vitest";
import type { TestProject } from "vitest/node";
import manifest from "../../package.json" with { type: "json" };

declare module "vitest" {
  interface ProvidedContext {
    /** A project that has the package and all its optional peers. */
    project: string;
    /** A project that has what `npm install balena-image-manager` gives, and nothing else. */
    bare: string;
    /** The node_modules that has the compilers, the types of runtimes and the bundlers of `tools/package.json`. */
    tools: string;
    /** The package's tarball. */
    tarball: string;
  }
}

type Dependencies = Partial<Record<"dependencies" | "peerDependencies", Record<string, string>>>;

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs before all tests; what it returns runs after them. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const base = await mkdtemp(join(tmpdir(), "package-test-"));
  const [project, bare, tools] = [
    join(base, "project"),
    join(base, "bare"),
    join(root, "test/package/tools"),
  ];
  await Promise.all([project, bare].map((directory) => mkdir(directory)));
  const tarball = await installPackage(project);
  await writeFile(join(bare, "package.json"), JSON.stringify({ private: true }));
  await npm(bare, "install", tarball);
  await npm(tools, "ci", "--ignore-scripts");
  for (const [name, value] of Object.entries({ project, bare, tarball, tools: join(tools, "node_modules") }))
    provide(name as keyof ProvidedContext, value);
  return () => rm(base, { recursive: true });
}

async function npm(cwd: string, ...args: string[]): Promise<void> {
  await run("npm", [...args, "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"], { cwd });
}

/** Packs the package as it is built and installs it into an empty directory; returns the tarball. */
export async function installPackage(project: string): Promise<string> {
  await access(join(root, "dist/index.js")).catch(() => {
    throw new Error("There is no dist/: run `npm run build` first");
  });
  // Scripts are left out, for packing must not build what is being tested.
  await run("npm", ["pack", "--ignore-scripts", "--pack-destination", project], { cwd: root });
  const tarball = join(project, (await readdir(project)).find((name) => name.endsWith(".tgz"))!);
  await install(tarball, project);
  return tarball;
}

/** As `npm install` would, but with the dependencies that are here already. */
async function install(tarball: string, project: string): Promise<void> {
  const modules = join(project, "node_modules");
  const installed = join(modules, manifest.name);
  await mkdir(installed, { recursive: true });
  await run("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"]);
  const { dependencies, peerDependencies = {} }: Dependencies = manifest;
  for (const name of [...Object.keys({ ...dependencies, ...peerDependencies }), "@types"]) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(root, "node_modules", name), join(modules, name));
  }
  await writeFile(join(project, "package.json"), JSON.stringify({ private: true }));
}
