// The drop-in's settings: balena's files and variables, the SDK's shared options, the stored login; each in a process of its own.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import type { DropInReport, DropInTask } from "../support/drop-in-child.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";

const api = await sharedApi({ imageBytes: 1024 * 1024 });
const nobody = "http://127.0.0.1:9";
const directoryName = "balena-image-manager";

const root = await mkdtemp(join(tmpdir(), "drop-in-settings-"));
afterAll(() => rm(root, { recursive: true }));

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(root, "home-"));
});

const script = fileURLToPath(new URL("../support/drop-in-child.ts", import.meta.url));

interface Surroundings {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
}

/** Runs a task in a process that knows no home, directory or settings but those of the test. */
async function run(task: Partial<DropInTask>, { env = {}, cwd = home }: Surroundings = {}) {
  const own = Object.entries(process.env).filter(([name]) => !/^(BALENARC|RESINRC)_/i.test(name));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [script, JSON.stringify({ deviceType: slug, version, ...task })],
    { cwd, env: { ...Object.fromEntries(own), HOME: home, USERPROFILE: home, ...env } },
  );
  return { ...(JSON.parse(stdout) as DropInReport), exitMs: Date.now() - JSON.parse(stdout).doneAt };
}

const isUsed = async (cacheDirectory: string) => (await readdir(cacheDirectory)).includes(directoryName);

/** Stores a login as the balena CLI does. */
async function logIn(dataDirectory: string) {
  await mkdir(dataDirectory, { recursive: true });
  await writeFile(join(dataDirectory, "token"), api.token);
}

describe("BALENARC_ variables say", () => {
  test("the API, the login and the directory", async () => {
    const dataDirectory = join(home, "data");
    await logIn(dataDirectory);
    const env = { BALENARC_API_URL: api.url, BALENARC_DATA_DIRECTORY: dataDirectory };
    const report = await run({ deviceType: "acme-gateway", version: "6.1.1" }, { env });
    expect(report).toMatchObject({
      sha256: await api.image("acme-gateway", "6.1.1").sha256,
      version: "6.1.1",
      origins: [api.url],
    });
    expect(await isUsed(join(dataDirectory, "cache"))).toBe(true);
  });

  test("another directory for the cache", async () => {
    const cacheDirectory = join(home, "elsewhere");
    await run({}, { env: { BALENARC_API_URL: api.url, BALENARC_CACHE_DIRECTORY: cacheDirectory } });
    expect(await isUsed(cacheDirectory)).toBe(true);
  });

  test("another balena", async () => {
    const env = { BALENARC_BALENA_URL: "balena.example" };
    expect(await run({ refuses: true }, { env })).toMatchObject({
      origins: ["https://api.balena.example"],
      error: { code: "UNAUTHORIZED" },
    });
  });
});

describe("balena's settings files", () => {
  test("in the home directory say it too", async () => {
    const cacheDirectory = join(home, "from-home");
    await writeFile(
      join(home, process.platform === "win32" ? "_balenarc.yml" : ".balenarc.yml"),
      `apiUrl: ${api.url}\ncacheDirectory: ${cacheDirectory}\n`,
    );
    expect(await run({})).toMatchObject({ sha256: await api.image(slug, version).sha256 });
    expect(await isUsed(cacheDirectory)).toBe(true);
  });

  test("in the working directory win over those, and variables over both", async () => {
    await writeFile(join(home, ".balenarc.yml"), `apiUrl: ${nobody}\ncacheDirectory: ${join(home, "a")}\n`);
    const cwd = join(home, "project");
    await mkdir(cwd);
    await writeFile(join(cwd, "balenarc.yml"), `apiUrl: ${nobody}\ncacheDirectory: ${join(home, "b")}\n`);
    const report = await run({}, { cwd, env: { BALENARC_API_URL: api.url } });
    expect(report).toMatchObject({ version, origins: [api.url] });
    expect(await isUsed(join(home, "b"))).toBe(true);
  });

  test("that can't be read are an error that names the file", async () => {
    await writeFile(join(home, ".balenarc.yml"), "apiUrl: [\n");
    expect(await run({})).toMatchObject({
      error: { code: "INVALID_ARGUMENT", message: expect.stringContaining(".balenarc.yml") },
      origins: [],
    });
  });
});

describe("the SDK's shared options", () => {
  test("win over the settings, with the stored login", async () => {
    const env = { BALENARC_API_URL: nobody, BALENARC_DATA_DIRECTORY: join(home, "data") };
    await logIn(join(home, "data"));
    const task = { deviceType: "acme-gateway", version: "6.1.1", sharedOptions: { apiUrl: api.url } };
    expect(await run(task, { env })).toMatchObject({ version: "6.1.1", origins: [api.url] });
    expect(await isUsed(join(home, "data", "cache"))).toBe(true);
  });

  test("that name no API leave it to the settings, and say where the login is", async () => {
    await logIn(join(home, "login"));
    const task = {
      deviceType: "acme-gateway",
      version: "6.1.1",
      sharedOptions: { dataDirectory: join(home, "login") },
    };
    const report = await run(task, { env: { BALENARC_API_URL: api.url } });
    expect(report).toMatchObject({ version: "6.1.1", origins: [api.url] });
    expect(await isUsed(join(home, ".balena", "cache"))).toBe(true);
  });
});

test("with no settings at all it is balenaCloud", async () => {
  expect(await run({ refuses: true })).toMatchObject({ origins: ["https://api.balena-cloud.com"] });
});

test("a process that has its image ends by itself, soon", async () => {
  const { exitMs, sha256 } = await run({}, { env: { BALENARC_API_URL: api.url } });
  expect(sha256).toBe(await api.image(slug, version).sha256);
  expect(exitMs).toBeLessThan(4_500);
});

test("importing it loads no SDK and touches no disk", async () => {
  const source = `
    await import(${JSON.stringify(new URL("../../src/adapters/v10/index.ts", import.meta.url))});
    const { createRequire } = await import("node:module");
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    process.stdout.write(JSON.stringify(loaded.filter((path) => /balena-(sdk|settings)/.test(path))));`;
  const options = { cwd: home, env: { ...process.env, HOME: home } };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "-e", source],
    options,
  );
  expect(JSON.parse(stdout)).toEqual([]);
  expect(await readdir(home)).toEqual([]);
});
