// A get that ends half-way, by Ctrl-C or for worse, and the next one.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { sha256 } from "../support/collect.ts";
import { startCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";

const MiB = 1024 * 1024;
const api = await sharedApi({ imageBytes: 64 * MiB, assets: true });
const image = api.image(slug, version);

const root = await mkdtemp(join(tmpdir(), "command-stops-"));
afterAll(() => rm(root, { recursive: true }));

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(root, "home-"));
});

const start = (...args: string[]) =>
  startCommand([...args, "--store", "./store"], { cwd: home, env: { BALENARC_API_URL: api.url } });
const get = () => start("get", slug, version, "-o", "a.img");

const wire = () => api.counters.assetBytes;

/** Begins a get over a slow link, and ends it by a signal when two thirds have come. Says what came. */
async function stopHalfWay(signal: NodeJS.Signals) {
  api.counters.reset();
  api.faults.linkBytesPerSecond = 4 * MiB;
  const { child, end } = get();
  await eventually(() => expect(wire()).toBeGreaterThan(9 * MiB));
  child.kill(signal);
  const ended = await end;
  api.faults.linkBytesPerSecond = undefined;
  return ended;
}

/** The second get, which must not download all of it again. */
async function goOn() {
  api.counters.reset();
  expect(await get().end).toMatchObject({ code: 0, stderr: "" });
  expect(sha256(await readFile(join(home, "a.img")))).toBe(await image.sha256);
  expect(wire()).toBeLessThan(0.75 * wholeBytes);
  expect(await readdir(home)).toEqual(["a.img", "store"]);
}

let wholeBytes = 0;
test("a whole one downloads the parts", async () => {
  api.counters.reset();
  await start("prefetch", slug, version).end;
  wholeBytes = wire();
  expect(wholeBytes).toBeGreaterThan(12 * MiB);
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s ends it with %i, and the next one goes on", async (signal, code) => {
  const end = await stopHalfWay(signal);
  expect(end).toMatchObject({ code, stderr: `balena-image-manager: stopped by ${signal}\n` });
  expect((await start("list").end).stdout.toString()).toContain("unfinished");
  await goOn();
});

test("a killed one leaves no file, and the next one goes on", async () => {
  expect((await stopHalfWay("SIGKILL")).code).toBe("SIGKILL");
  expect(await readdir(home)).not.toContain("a.img");
  await goOn();
});
