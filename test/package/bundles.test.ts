// Every subpath through every bundler, minified, and run: it exports what it exports unbundled, its client is found, and its errors keep their
// names, codes and classes. And nothing but what is for the balena SDK reaches it.
import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { bundlers, compatibilityDate, wrangler } from "./bundle/bundlers.ts";
import { type BundleReport, entryName, exported, subpaths, writeEntries } from "./bundle/entries.ts";

const run = promisify(execFile);
const [project, tools] = [inject("project"), inject("tools")];
const table: Record<string, Record<string, string>> = {};
afterAll(() => console.table(table));

await writeEntries(join(project, "entries"));
afterAll(() => rm(join(project, "out"), { recursive: true, force: true }));
const unbundled = new Map<string, string[]>();
for (const subpath of exported) {
  const { stdout } = await run(process.execPath, [`entries/${entryName(subpath)}.mjs`], {
    cwd: project,
    env: environment(),
  });
  unbundled.set(subpath, (JSON.parse(stdout) as BundleReport).exports);
}

/** No login, no settings, and no API but one that does not answer. */
function environment() {
  return { PATH: process.env["PATH"], HOME: project, BALENARC_API_URL: "http://127.0.0.1:1", NO_COLOR: "1" };
}

function assertWhole(subpath: string, report: BundleReport, inWorker: boolean): void {
  const { errorClass = "InvalidArgumentError", used } = subpaths[subpath]!;
  const code = errorClass === "InvalidArgumentError" ? "INVALID_ARGUMENT" : "INVALID_VERSION";
  expect(report).toEqual({
    exports: unbundled.get(subpath),
    error: { name: errorClass, className: errorClass, code, isOwnClass: true, isOtherClass: false },
    // A Worker has no disk, and no login of the SDK.
    used: inWorker && subpaths[subpath]?.needsNode ? report.used : used,
  });
}

function note(bundler: string, subpath: string, isFine: boolean): void {
  table[subpath] = { ...table[subpath], [bundler]: isFine ? "runs" : "FAILS" };
}

async function assertNoted(
  bundler: string,
  subpath: string,
  reportOf: () => Promise<BundleReport>,
): Promise<void> {
  note(bundler, subpath, false);
  assertWhole(subpath, await reportOf(), bundler === "wrangler");
  note(bundler, subpath, true);
}

test("each subpath has a program", () => {
  expect(Object.keys(subpaths).sort()).toEqual([...exported].sort());
});

describe.each(Object.entries(bundlers))("%s", (name, { bundle, runBy }) => {
  let fileOf: (entry: string) => string;
  beforeAll(async () => {
    fileOf = await bundle({ project, tools, entries: exported.map(entryName) });
  }, 240_000);

  test.each(exported)("%s", (subpath) =>
    assertNoted(name, subpath, async () => {
      const binary =
        runBy === "bun"
          ? fileURLToPath(new URL("../../node_modules/.bin/bun", import.meta.url))
          : process.execPath;
      const { stdout } = await run(binary, [fileOf(entryName(subpath))], {
        cwd: project,
        env: environment(),
      });
      return JSON.parse(stdout);
    }),
  );
});

describe("wrangler", () => {
  test.each(exported)("%s", (subpath) =>
    assertNoted("wrangler", subpath, async () => {
      const isNode = subpaths[subpath]?.needsNode === true;
      const script = await wrangler({ project, tools }, entryName(subpath), isNode);
      const worker = new Miniflare({
        ...{ modules: true, script: await readFile(script, "utf8"), compatibilityDate },
        ...(isNode && { compatibilityFlags: ["nodejs_compat"] }),
      });
      try {
        return (await (await worker.dispatchFetch("http://localhost/")).json()) as BundleReport;
      } finally {
        await worker.dispose();
      }
    }),
  );
});

describe("the balena SDK", () => {
  test.each(exported)("is reached from %s only if that is for it", async (subpath) => {
    const { metafile } = await build({
      ...{ stdin: { contents: `export * from "${manifest.name}${subpath.slice(1)}";`, resolveDir: project } },
      ...{ bundle: true, write: false, metafile: true, format: "esm", platform: "node" },
      external: ["semver", "balena-sdk", "aws4fetch", "ioredis", "@azure/storage-blob"].flatMap((name) => [
        name,
        `${name}/*`,
      ]),
    });
    const imported = Object.values(metafile.inputs).flatMap(({ imports }) => imports.map(({ path }) => path));
    const isForIt = ["./adapters/balena-sdk", "./v10"].includes(subpath);
    expect(imported.some((path) => path.startsWith("balena-sdk"))).toBe(isForIt);
  });
});
