// The command as it is installed: on every runtime, on an old Node, and without the clients that are optional.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, inject, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { startBalenaApi } from "../support/balena-api/index.ts";

const api = await startBalenaApi({ imageBytes: 2 * 1024 * 1024 });
afterAll(() => api.close());
const [slug, version] = ["raspberrypi4-64", "6.1.0"];

const modules = fileURLToPath(new URL("../../node_modules", import.meta.url));
const installed = join(inject("project"), "node_modules", manifest.name);
const bin = (place: string) => join(place, manifest.bin["balena-image-manager"]);
const home = await mkdtemp(join(tmpdir(), "command-package-"));
afterAll(() => rm(home, { recursive: true }));

/** Never rejects. */
async function run(command: readonly string[], env: Record<string, string> = {}) {
  const [file = "", ...args] = command;
  const own = { PATH: process.env["PATH"], HOME: home, BALENARC_API_URL: api.url, NO_COLOR: "1", ...env };
  const running = promisify(execFile)(file, args, { cwd: home, env: own as NodeJS.ProcessEnv });
  const ended = await running.catch((failure: { code: number; stdout: string; stderr: string }) => failure);
  return { code: "code" in ended ? ended.code : 0, stdout: ended.stdout, stderr: ended.stderr };
}

const runtimes = {
  Node: [process.execPath],
  "Node 22": [join(modules, "node22/bin/node")],
  Bun: [join(modules, ".bin/bun")],
  Deno: [join(modules, ".bin/deno"), "run", "-A", "--quiet"],
};

describe.each(Object.entries(runtimes))("on %s", (name, runtime) => {
  test("it gets, lists, verifies and deletes an image", async () => {
    const command = (...words: string[]) => run([...runtime, bin(installed), ...words, "-s", `./${name}`]);
    for (const origin of ["network", "cache"]) {
      const { code, stdout, stderr } = await command("get", slug, version, "-o", "a.img");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain(`from ${origin}`);
    }
    const file = await readFile(join(home, "a.img"));
    expect(createHash("sha256").update(file).digest("hex")).toBe(await api.image(slug, version).sha256);
    expect(JSON.parse((await command("list", "--json")).stdout)).toMatchObject([
      { deviceType: slug, version },
    ]);
    expect(await command("verify")).toMatchObject({ code: 0, stdout: expect.stringContaining("1 images") });
    expect((await command("remove", slug, version)).code).toBe(0);
    expect(await command("get", slug, "9.9.9", "-o", "b.img")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("(VERSION_NOT_FOUND)"),
    });
  });

  test("it says its version and its help", async () => {
    const { stdout } = await run([...runtime, bin(installed), "--version"]);
    expect(stdout).toBe(`${manifest.version}\n`);
    expect((await run([...runtime, bin(installed), "--help"])).stdout).toContain("prefetch");
  });
});

test("an old Node is told what is needed, and nothing else is loaded", async () => {
  const old =
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })";
  const command = [process.execPath, "--import", `data:text/javascript,${encodeURIComponent(old)}`];
  expect(await run([...command, bin(installed), "list"])).toEqual({
    code: 1,
    stdout: "",
    stderr: "balena-image-manager needs Node 22.18 or newer. This is Node 20.20.2.\n",
  });
});

test.each([
  ["s3://bucket/prefix", "aws4fetch"],
  ["redis://127.0.0.1:1", "ioredis"],
])("without its client, %s names %s", async (store, client) => {
  const place = join(home, client, "node_modules", manifest.name);
  await mkdir(join(home, client, "node_modules"), { recursive: true });
  await cp(installed, place, { recursive: true });
  await symlink(join(modules, "semver"), join(home, client, "node_modules/semver"));
  const keys = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "hunter2hunter2" };
  const { code, stderr } = await run([process.execPath, bin(place), "list", "-s", store], keys);
  expect(code).toBe(2);
  expect(stderr).toContain(`needs the package "${client}"`);
  expect(stderr).not.toContain("hunter2");
});

test("the licences of what is bundled are kept, and the library is not bundled", async () => {
  const text = await readFile(join(installed, "dist/command.js"), "utf8");
  for (const name of ["cli-progress", "string-width", "strip-ansi", "ansi-regex"])
    expect(text).toMatch(
      new RegExp(`This file contains ${name} \\d[^]*?MIT[^]*?Permission is hereby granted`),
    );
  expect(text).toContain('from "balena-image-manager/node"');
  expect(text).not.toContain("class ImageManagerError");
});
