// The package for JSR: the same exports and version as on npm, and `deno publish` takes it as it is, with the types that it can read fast.
import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import jsr from "../../jsr.json" with { type: "json" };
import manifest from "../../package.json" with { type: "json" };
import tsup from "../../tsup.config.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const copy = await mkdtemp(join(tmpdir(), "jsr-test-"));
afterAll(() => rm(copy, { recursive: true, force: true }));
for (const name of ["src", "jsr.json", "package.json", "README.md", "CHANGELOG.md", "LICENSE"])
  await cp(join(root, name), join(copy, name), { recursive: true });
await symlink(join(root, "node_modules"), join(copy, "node_modules"));

/** Checks everything that the registry checks, and sends nothing. */
function dryRun(): Promise<string> {
  const options = { cwd: copy, env: { ...process.env, NO_COLOR: "1" } };
  return promisify(execFile)("deno", ["publish", "--dry-run", "--allow-dirty"], options).then(
    ({ stdout, stderr }) => stdout + stderr,
    ({ stdout, stderr }) => stdout + stderr,
  );
}

test("it has the version, the licence and the subpaths of package.json", () => {
  const entries = (tsup as { entry: Record<string, string> }).entry;
  const sources = Object.entries(entries).map(([name, source]) => [
    name === "index" ? "." : `./${name}`,
    `./${source}`,
  ]);
  expect(jsr.exports).toEqual(Object.fromEntries(sources));
  expect(Object.keys(jsr.exports).sort()).toEqual(
    Object.keys(manifest.exports)
      .filter((path) => !path.endsWith(".json"))
      .sort(),
  );
  expect([jsr.version, jsr.license]).toEqual([manifest.version, manifest.license]);
});

test("deno publish has no complaint: no slow types, no error of types", async () => {
  const output = await dryRun();
  expect(output).toMatch(/Checking for slow types in the public API\.\.\..*Success Dry run complete\s*$/s);
  expect(output).not.toMatch(/warning|error\[/i);
  const files = [...output.matchAll(/^ +file:\S*?\/jsr-test-\w+\/(\S+) \(/gm)].map(([, path]) => path!);
  expect(files.filter((path) => path.startsWith("src/")).length).toBeGreaterThan(200);
  expect(files.filter((path) => !/^src\/\S+\.ts$/.test(path)).sort()).toEqual([
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "jsr.json",
  ]);
});

test("it would complain about a slow type", async () => {
  await writeFile(
    join(copy, "src/core/http/index.ts"),
    "export const slow = [1].map((value) => ({ value }));\n",
  );
  expect(await dryRun()).toContain("slow");
});
