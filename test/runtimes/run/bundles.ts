// What the package costs in a bundle: the size of what a Worker needs, and whose clients each subpath brings along.
import { builtinModules } from "node:module";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import manifest from "../../../package.json" with { type: "json" };
import { type Result, resultOf } from "./results.ts";

const kibibyte = 1024;
/** What the design hoped for, and what the parts that it asks for come to: docs/decisions/035. */
const [goalBytes, maxGzipBytes] = [38 * kibibyte, 53 * kibibyte];
const { name } = manifest;

/** The packages that each subpath may load, and none but it. */
const clients: Readonly<Record<string, readonly string[]>> = {
  ".": ["semver"],
  // It takes and checks what `get` takes.
  "./http": ["semver"],
  "./v10": ["balena-sdk", "semver"],
  "./adapters/s3": ["aws4fetch"],
  "./adapters/redis": ["ioredis"],
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
  const isSmall = bytes <= maxGzipBytes;
  const size = resultOf(
    "bundle :: core, balena-api and R2 stay within 53 KiB",
    isSmall ? "passed" : "failed",
    `${bytes} bytes`,
  );
  const lines = subpaths.map(
    (subpath, index) => `  ${subpath.padEnd(28)}${loaded[index]?.join(", ") || "-"}`,
  );
  const toKib = (size: number) => `${(size / kibibyte).toFixed(1)} KiB`;
  const verdict = bytes <= goalBytes ? "reached" : "not reached";
  const sum = `Core + balena-api + R2 adapter, minified and gzipped: ${toKib(bytes)}; the goal of ${toKib(goalBytes)} is ${verdict}`;
  return { results: [...isolation, size], lines: ["Packages that each subpath loads:", ...lines, "", sum] };
}

/** Names of the packages that a subpath imports, lazily too; Node's own modules do not count. */
async function packagesOf(subpath: string, project: string): Promise<string[]> {
  const { metafile } = await bundle(`export * from "${name}${subpath.slice(1)}";`, project, [
    ...["semver", "unstorage", "balena-sdk", "aws4fetch", "ioredis"].flatMap((id) => [id, `${id}/*`]),
  ]);
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
  const packages = imports.map(({ path }) => path.split("/")[0] ?? "");
  return [...new Set(packages)]
    .filter((id) => !id.startsWith("node:") && !builtinModules.includes(id))
    .sort();
}

async function edgeBytes(project: string): Promise<number> {
  const entry = `
    export { createImageManager } from "${name}";
    export { balenaApiSource } from "${name}/adapters/balena-api";
    export { r2Adapter } from "${name}/adapters/cloudflare-r2";`;
  const { outputFiles } = await bundle(entry, project, []);
  return gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
}

function bundle(contents: string, project: string, external: string[]) {
  return build({
    ...{ stdin: { contents, resolveDir: project }, external: [...external, "node:*"] },
    ...{ bundle: true, minify: true, write: false, metafile: true, logLevel: "warning" },
    ...{ format: "esm", target: "es2022", platform: "neutral", mainFields: ["module", "main"] },
  });
}
