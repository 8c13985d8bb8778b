// The package in use: by import and by require, with every subpath.
import { execFile } from "node:child_process";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, inject, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };

const run = promisify(execFile);
const project = inject("project");
const subpaths = Object.keys(manifest.exports).filter((path) => !path.endsWith(".json"));

const oneFactory = expect.stringMatching(/^function \w+(Adapter|Source)$/);

interface Report {
  readonly exports: Record<string, string[]>;
  readonly areOwnErrorsInstances: boolean[];
  readonly areOtherErrorsInstances: boolean[];
  readonly areOtherErrorsRecognized: boolean[];
  readonly isStrangerRecognized: boolean;
  readonly roundTrip: unknown;
}

await copyFile(new URL("consumer/use.mjs", import.meta.url), join(project, "use.mjs"));
const { stdout } = await run(process.execPath, ["use.mjs", manifest.name, ...subpaths], { cwd: project });
const reports: Record<"import" | "require", Report> = JSON.parse(stdout);

describe.each(Object.entries(reports))("by %s", (_, report) => {
  test("every subpath exports what it is for", () => {
    const {
      ".": main = [],
      "./node": node,
      "./v10": v10,
      "./http": http,
      "./boot-files": bootFiles,
      ...adapters
    } = report.exports;
    // Classes begin with a capital; all of them are errors.
    expect(main.filter((name) => !/ [A-Z]\w+Error$/.test(name))).toEqual([
      "function createImageManager",
      "function gzipEncoding",
      "function isImageManagerError",
    ]);
    expect(main).toHaveLength(3 + 15);
    expect(http).toEqual(["function createImageHandler"]);
    expect(bootFiles).toEqual(["function bootFiles", "function wifiConnection"]);
    expect(node).toEqual(
      [
        ...["gzipEncoding", "nodeEvents", "nodeHash", "nodeInflate", "requestListener", "saveImage", "serve"],
        ...["writeImage", "zstdEncoding"],
      ].map((name) => `function ${name}`),
    );
    expect(v10).toEqual(
      ["cleanCache", "createDropIn", "get", "isESR", "resolveVersion", "validateVersion"].map(
        (name) => `function ${name}`,
      ),
    );
    expect(Object.keys(adapters).length).toBeGreaterThanOrEqual(3);
    for (const names of Object.values(adapters)) expect(names).toEqual([oneFactory]);
  });

  test("the error classes are the same in all subpaths", () => {
    expect(report.areOwnErrorsInstances).toEqual([true, true, true]);
  });

  test("errors of the other format are recognized, and instances of the same class, though each format has its own", () => {
    expect(report.areOtherErrorsInstances).toEqual([true, true, true]);
    expect(report.areOtherErrorsRecognized).toEqual([true, true, true]);
    expect(report.isStrangerRecognized).toBe(false);
  });

  test("an image comes down once and out of the cache after that", () => {
    expect(report.roundTrip).toEqual({
      gets: [
        { origin: "network", isRight: true },
        { origin: "cache", isRight: true },
      ],
      statuses: [200, 304],
    });
  });
});
