// What the package costs in a bundle: the size of what a Worker needs, and whose clients each subpath brings along.
import { builtinModules } from "node:module";
import { basename } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Metafile } from "esbuild";
import manifest from "../../../package.json" with { type: "json" };
import { type Result, resultOf } from "./results.ts";

const kibibyte = 1024;
/** What a Worker loads at its start, and that with what is loaded for configured images: docs/decisions/044. */
const goals = { start: 38 * kibibyte, all: 46 * kibibyte };
const limits = { start: 75 * kibibyte, all: 85 * kibibyte };
const { name } = manifest;

/** The packages that each subpath may load, and none but it. */
const clients: Readonly<Record<string, readonly string[]>> = {
  ".": ["semver"],
  // It takes and checks what `get` takes.
  "./http": ["semver"],
  // Whether an image carries credentials, it asks the rules of an image's identity.
  "./node": ["semver"],
  "./v10": ["balena-sdk", "semver"],
  "./adapters/s3": ["aws4fetch"],
  "./adapters/redis": ["ioredis"],
  "./adapters/azure-blob": ["@azure/storage-blob"],
  "./adapters/balena-sdk": ["balena-sdk"],
};

/** What is told beside the results. */
export interface BundleReport {
  readonly results: Result[];
  readonly lines: string[];
}

/** Bundles the installed package in the ways that its users do. */
export async function testBundles(project: string): Promise<BundleReport> {
  const subpaths = Object.keys(manifest.exports).filter((path) => !path.endsWith(".json"));
  const loaded = await Promise.all(subpaths.map((subpath) => packagesOf(subpath, project)));
  const isolation = subpaths.map((subpath, index) => {
    const [found, allowed] = [loaded[index] ?? [], clients[subpath] ?? []];
    const isFine = found.join() === allowed.join();
    const detail = `it loads ${found.join(", ") || "nothing"}; expected ${allowed.join(", ") || "nothing"}`;
    return resultOf(`bundle :: ${subpath} loads its own client alone`, isFine ? "passed" : "failed", detail);
  });
  const bytes = await edgeBytes(project);
  const sizes = (["start", "all"] as const).map((part) => {
    const name = `bundle :: core, balena-api and R2 stay within ${limits[part] / kibibyte} KiB (${names[part]})`;
    return resultOf(name, bytes[part] <= limits[part] ? "passed" : "failed", `${bytes[part]} bytes`);
  });
  const lines = subpaths.map(
    (subpath, index) => `  ${subpath.padEnd(28)}${loaded[index]?.join(", ") || "-"}`,
  );
  const toKib = (size: number) => `${(size / kibibyte).toFixed(1)} KiB`;
  const sums = (["start", "all"] as const).map((part) => {
    const verdict = bytes[part] <= goals[part] ? "reached" : "not reached";
    return `  ${names[part]}: ${toKib(bytes[part])}; the goal of ${toKib(goals[part])} is ${verdict}`;
  });
  const title = "Core + balena-api + R2 adapter, minified and gzipped:";
  return {
    results: [...isolation, ...sizes],
    lines: ["Packages that each subpath loads:", ...lines, "", title, ...sums],
  };
}

const names = { start: "at the start", all: "with what configures images" };

/** Names of the packages that a subpath imports, lazily too; Node's own modules do not count. */
async function packagesOf(subpath: string, project: string): Promise<string[]> {
  const { metafile } = await bundle(`export * from "${name}${subpath.slice(1)}";`, project, [
    ...["semver", "unstorage", "balena-sdk", "aws4fetch", "ioredis", "@azure/storage-blob"].flatMap((id) => [
      id,
      `${id}/*`,
    ]),
  ]);
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
  const packages = imports.filter(({ external }) => external).map(({ path }) => packageOf(path));
  return [...new Set(packages)]
    .filter((id) => !id.startsWith("node:") && !builtinModules.includes(id))
    .sort();
}

/** The name of a package has a slash if it has a scope. */
function packageOf(path: string): string {
  return path
    .split("/")
    .slice(0, path.startsWith("@") ? 2 : 1)
    .join("/");
}

/** Bytes of the chunks that are loaded at the start, and of all. A bundler that does not split puts all of them into one file. */
async function edgeBytes(project: string): Promise<{ start: number; all: number }> {
  const entry = `
    export { createImageManager } from "${name}";
    export { balenaApiSource } from "${name}/adapters/balena-api";
    export { r2Adapter } from "${name}/adapters/cloudflare-r2";`;
  const { outputFiles, metafile } = await bundle(entry, project, []);
  const sizes = outputFiles.map(({ path, contents }) => [
    basename(path),
    gzipSync(contents, { level: 9 }).length,
  ]);
  const bytesOf = new Map(sizes as [string, number][]);
  const sum = (chunks: Iterable<string>) =>
    [...chunks].reduce((bytes, chunk) => bytes + bytesOf.get(chunk)!, 0);
  return { start: sum(loadedAtStart(metafile)), all: sum(bytesOf.keys()) };
}

/** The entry, and what it imports by statements. */
function loadedAtStart({ outputs }: Metafile): Set<string> {
  const loaded = new Set<string>();
  const load = (path: string): void => {
    if (loaded.has(basename(path))) return;
    loaded.add(basename(path));
    for (const { path: next, kind, external } of outputs[path]!.imports)
      if (kind === "import-statement" && !external) load(next);
  };
  load(Object.keys(outputs).find((path) => basename(path).startsWith("stdin"))!);
  return loaded;
}

function bundle(contents: string, project: string, external: string[]) {
  return build({
    ...{ stdin: { contents, resolveDir: project }, external: [...external, "node:*"] },
    ...{ bundle: true, minify: true, write: false, metafile: true, logLevel: "warning" },
    ...{
      splitting: true,
      outdir: "bundle",
      format: "esm",
      target: "es2022",
      platform: "neutral",
      mainFields: ["module", "main"],
    },
  });
}
