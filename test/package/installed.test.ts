// What `npm install balena-image-manager` puts on the disk of somebody who downloads with `fetch`.
import { execFile } from "node:child_process";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, inject, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };

const run = promisify(execFile);
const bare = inject("bare");
const [maxPackages, maxBytes] = [3, 2_000_000];

test(`it is at most ${maxPackages} packages and ${maxBytes / 1e6} MB`, async () => {
  const { stdout } = await run("npm", ["ls", "--all", "--parseable", "--omit=dev"], { cwd: bare });
  const packages = stdout.trim().split("\n").slice(1);
  const bytes = await bytesIn(packages);
  console.log(`Installed: ${packages.length} packages, ${(bytes / 1e6).toFixed(2)} MB`);
  expect(packages.length).toBeLessThanOrEqual(maxPackages);
  expect(packages.length).toBeGreaterThan(1);
  expect(bytes).toBeLessThanOrEqual(maxBytes);
});

test("semver is the one dependency, and every client is an optional peer", () => {
  expect(Object.keys(manifest.dependencies)).toEqual(["semver"]);
  const peers = Object.keys(manifest.peerDependencies);
  expect(peers).toEqual(["@azure/storage-blob", "aws4fetch", "balena-sdk", "ioredis", "unstorage"]);
  expect(manifest.peerDependenciesMeta).toEqual(
    Object.fromEntries(peers.map((name) => [name, { optional: true }])),
  );
});

test("every subpath loads without a peer, as ES module and as CommonJS", async () => {
  const subpaths = Object.keys(manifest.exports).filter((path) => !path.endsWith(".json"));
  const names = JSON.stringify(subpaths.map((path) => manifest.name + path.slice(1)));
  const source = `const { createRequire } = await import("node:module");
    const require = createRequire(${JSON.stringify(join(bare, "index.js"))});
    for (const name of ${names}) { await import(name); require(name); }
    console.log("loaded");`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", source], { cwd: bare });
  expect(stdout).toBe("loaded\n");
});

async function bytesIn(directories: string[]): Promise<number> {
  const sizes = directories.map(async (directory) => {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    const stats = await Promise.all(files.map((path) => stat(path)));
    return stats.reduce((sum, { size }) => sum + size, 0);
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
