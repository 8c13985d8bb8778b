// What is in the package: everything that `exports` names, and nothing that users have no use for.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };

const packageDirectory = join(inject("project"), "node_modules", manifest.name);
const entries = await readdir(packageDirectory, { recursive: true, withFileTypes: true });
const files = entries
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(packageDirectory.length + 1));

test("it holds the build, the manifest and three texts", () => {
  const others = files.filter((name) => !/^dist\/([a-z-]+\/)?[\w-]+\.(js|cjs|d\.ts|d\.cts)$/.test(name));
  expect(others.sort()).toEqual(["CHANGELOG.md", "LICENSE", "README.md", "package.json"]);
});

const command = [manifest.bin["balena-image-manager"], "dist/command.js"];

test("every file that exports and bin name is there", () => {
  const named = targets(manifest.exports).map((path) => path.replace(/^\.\//, ""));
  expect(named.length).toBeGreaterThan(20);
  expect([...named, ...command].filter((name) => !files.includes(name))).toEqual([]);
});

test("every built file is exported, but for the command, shared parts and those that are loaded late", () => {
  const named = targets(manifest.exports).map((path) => path.replace(/^\.\//, ""));
  const shared = /^dist\/[\w-]+-[\w-]{8}\.(c?js|d\.c?ts)$/; // named after their content
  const unnamed = files.filter(
    (name) => name.startsWith("dist/") && !shared.test(name) && ![...named, ...command].includes(name),
  );
  expect(unnamed).toEqual([]);
});

// Twice the code and twice the types, for ES modules and CommonJS, all of it with its comments.
test("it stays below 1.5 MB unpacked", async () => {
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(packageDirectory, name))).size));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1_500_000);
});

/** All paths in an `exports` field. */
function targets(value: unknown): string[] {
  return typeof value === "string" ? [value] : Object.values(value as object).flatMap(targets);
}
