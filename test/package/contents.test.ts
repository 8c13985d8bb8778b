// What is in the package: everything that `exports` names, and nothing that users have no use for.
import { access, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, inject, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };

const packageDirectory = join(inject("project"), "node_modules", manifest.name);
const entries = await readdir(packageDirectory, { recursive: true, withFileTypes: true });
const files = entries
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(packageDirectory.length + 1));

test("it holds the build, the manifest, three texts, pages and examples", () => {
  const others = files
    .filter((name) => !/^dist\/([a-z-]+\/)?[\w-]+\.(js|cjs|d\.ts|d\.cts)$/.test(name))
    .filter((name) => !/^(docs\/[\w-]+\.md|examples\/[\w.-]+\.ts)$/.test(name));
  expect(others.sort()).toEqual(["CHANGELOG.md", "LICENSE", "README.md", "package.json"]);
});

// Tests are not part of the package: sites that show the page find them by the repository.
test("every page that README links to is in the package, or is named by its whole URL", async () => {
  const text = await readFile(join(packageDirectory, "README.md"), "utf8");
  const links = Array.from(text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g), ([, target]) => target!);
  const repository =
    /^https:\/\/github\.com\/balena-io-modules\/balena-image-manager\/(blob|tree|raw)\/HEAD\//;
  const ofRepository = links.filter((target) => repository.test(target));
  const root = fileURLToPath(new URL("../..", import.meta.url));
  for (const target of ofRepository) await access(join(root, target.replace(repository, "")));
  const relative = links.filter((target) => !/^(https:|test\/)/.test(target));
  expect([relative.length, ofRepository.length].every((count) => count > 5)).toBe(true);
  expect(relative.filter((target) => !files.includes(target))).toEqual([]);
});

const command = [manifest.bin["balena-image-manager"], "dist/command.js"];

test("every file that exports and bin name is there", () => {
  const named = targets(manifest.exports).map((path) => path.replace(/^\.\//, ""));
  expect(named.length).toBeGreaterThan(20);
  expect([...named, ...command].filter((name) => !files.includes(name))).toEqual([]);
});

test("every built file is exported, but for the command, shared parts and those that are loaded late", () => {
  const named = targets(manifest.exports).map((path) => path.replace(/^\.\//, ""));
  const shared = /^dist\/[a-z-]+-[\w-]{8}\.(js|cjs|d\.ts|d\.cts)$/;
  const unnamed = files.filter(
    (name) => name.startsWith("dist/") && !shared.test(name) && ![...named, ...command].includes(name),
  );
  expect(unnamed).toEqual([]);
});

// The code as readable ES modules and as minified CommonJS, the types of both with their comments, and the pages.
test("it stays below 1.8 MB unpacked", async () => {
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(packageDirectory, name))).size));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1_800_000);
});

/** All paths in an `exports` field. */
function targets(value: unknown): string[] {
  return typeof value === "string" ? [value] : Object.values(value as object).flatMap(targets);
}
