// The types as users compile them: every subpath, strictly, with `skipLibCheck: false`, no `lib: dom` and no optional peer installed,
// by each TypeScript from 5.7 on, as ES modules and CommonJS, with the globals of each runtime.
import { execFile } from "node:child_process";
import { copyFile, cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, inject, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import tools from "./tools/package.json" with { type: "json" };

const run = promisify(execFile);
const subpaths = Object.keys(manifest.exports).filter((path) => !path.endsWith(".json"));
const versions = Object.keys(tools.dependencies).filter((name) => name.startsWith("typescript-"));
const report: Record<string, Record<string, string>> = {};
afterAll(() => console.table(report));

// A copy, because types of runtimes are added to it.
const project = await mkdtemp(join(tmpdir(), "types-test-"));
afterAll(() => rm(project, { recursive: true }));
await cp(inject("bare"), project, { recursive: true });

/** These name Node's own types: a Worker has none. */
const nodeOnly = ["./node", "./v10"];

await mkdir(join(project, "node_modules/@types"));
for (const name of ["@types/node", "undici-types", "bun-types", "@cloudflare/workers-types"]) {
  await mkdir(join(project, "node_modules", name, ".."), { recursive: true });
  await symlink(join(inject("tools"), name), join(project, "node_modules", name));
}
const importing = (names: string[]) =>
  names.map((name, index) => `export * as m${index} from "${manifest.name}${name.slice(1)}";\n`).join("");
for (const extension of ["mts", "cts", "ts"]) {
  await writeFile(join(project, `all.${extension}`), importing(subpaths));
  await writeFile(
    join(project, `web.${extension}`),
    importing(subpaths.filter((path) => !nodeOnly.includes(path))),
  );
  for (const runtime of ["node", "workers", "bun", "deno"])
    await copyFile(
      new URL(`consumer/${runtime}.ts`, import.meta.url),
      join(project, `${runtime}.${extension}`),
    );
}

const strict = [
  ...["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"],
  ...["--noPropertyAccessFromIndexSignature", "--skipLibCheck", "false", "--pretty", "false"],
];

/** All that the compiler says: nothing is filtered. */
async function complaints(version: string, options: string, files: readonly string[]): Promise<string> {
  const tsc = join(inject("tools"), version, "bin/tsc");
  const compiling = run(process.execPath, [tsc, ...strict, ...options.split(" "), ...files], {
    cwd: project,
  });
  return compiling.then(
    ({ stdout }) => stdout,
    ({ stdout, message }: { stdout?: string; message: string }) => stdout || message,
  );
}

const node = "--target es2022 --lib es2022 --types node";
const bundler = "--module esnext --moduleResolution bundler";
/** What a project may be: compiler options, and files. */
const kinds = {
  "nodenext, ESM": [`--module nodenext ${node}`, ["all.mts", "node.mts"]],
  "nodenext, CJS": [`--module nodenext ${node}`, ["all.cts", "node.cts"]],
  bundler: [`${bundler} ${node}`, ["all.ts", "node.ts"]],
} as const;
/** Others, for the first and the last TypeScript alone: what they add does not depend on those in between. */
const furtherKinds = {
  "node16, ESM and CJS": [`--module node16 ${node}`, ["all.mts", "all.cts", "node.mts", "node.cts"]],
  "with the DOM": [
    `--module nodenext ${node} --lib es2022,dom,dom.iterable,dom.asynciterable`,
    ["all.mts", "node.mts"],
  ],
  workers: [
    `${bundler} --target es2022 --lib es2022 --types @cloudflare/workers-types`,
    ["web.ts", "workers.ts"],
  ],
  bun: [`${bundler} --target esnext --lib esnext --types bun-types`, ["all.ts", "bun.ts"]],
} as const;

describe.each(versions)("%s", (version) => {
  const isEnd = version === versions[0] || version === versions.at(-1);
  test.each(Object.entries({ ...kinds, ...(isEnd && furtherKinds) }))(
    "%s",
    async (kind, [options, files]) => {
      const found = await complaints(version, options, files);
      report[version] = { ...report[version], [kind]: found === "" ? "clean" : "ERRORS" };
      expect(found).toBe("");
    },
  );
});

test("deno check, with all that the package has", async () => {
  const args = ["check", "--quiet", "--node-modules-dir=manual", "--all", "all.ts", "deno.ts"];
  const { stderr } = await run("deno", args, { cwd: project, env: { ...process.env, NO_COLOR: "1" } }).catch(
    (failure: { stderr: string }) => failure,
  );
  report["deno check"] = { "nodenext, ESM": stderr === "" ? "clean" : "ERRORS" };
  expect(stderr).toBe("");
});

test("a mistake is seen, so what is clean was looked at", async () => {
  await writeFile(
    join(project, "wrong.mts"),
    `import { fsAdapter } from "${manifest.name}/adapters/fs";\nfsAdapter({ base: 1 });\n`,
  );
  for (const version of versions) {
    expect(await complaints(version, `--module nodenext ${node}`, ["wrong.mts"])).toContain(
      "wrong.mts(2,13): error TS2322",
    );
  }
});
