// Each command as people run it, in a process of its own, against the loopback API.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { sha256 } from "../support/collect.ts";
import { startCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";

const MiB = 1024 * 1024;
const api = await sharedApi({ imageBytes: 12 * MiB, assets: true });
const image = api.image(slug, version);
const megabytes = "12.6 MB";
// Many processes in a row.

const root = await mkdtemp(join(tmpdir(), "command-"));
afterAll(() => rm(root, { recursive: true }));

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(root, "home-"));
});

const start = (args: string[], env = {}) =>
  startCommand([...args, "--store", "./store"], { cwd: home, env: { BALENARC_API_URL: api.url, ...env } });

/** To its end, whose output is text. */
async function run(...args: string[]) {
  const { code, stdout, stderr } = await start(args).end;
  return { code, stdout: stdout.toString(), stderr };
}

const quiet = { code: 0, stderr: "" };

describe("get", () => {
  test("writes the file, says what it is, and the second time takes it from the store", async () => {
    for (const origin of ["network", "cache"]) {
      const end = await run("get", slug, "~6.1.0", "-o", "a.img");
      expect(end).toEqual({
        ...quiet,
        stdout: `${join(home, "a.img")}: ${slug} ${version}, ${megabytes}, from ${origin}\n`,
      });
      expect(sha256(await readFile(join(home, "a.img")))).toBe(await image.sha256);
    }
    const { stdout } = await run("get", slug, version, "-o", "a.img", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ deviceType: slug, version, size: 12 * MiB, origin: "cache" });
  });

  test("-o - writes the bytes and nothing else", async () => {
    const { code, stdout, stderr } = await start(["get", slug, version, "-o", "-"]).end;
    expect([code, sha256(stdout), stderr]).toEqual([0, await image.sha256, ""]);
  });

  test("asks for the file that is wanted", async () => {
    const { code, stdout } = await start(["get", slug, version, "--file-type", ".gz", "-o", "-"]).end;
    expect([code, sha256(gunzipSync(stdout))]).toEqual([0, await image.sha256]);
  });

  test("a reader that has enough is no failure that anybody hears of", async () => {
    const { child, end } = start(["get", slug, version, "-o", "-"]);
    child.stdout?.once("data", () => child.stdout?.destroy());
    expect(await end).toMatchObject({ code: 141, stderr: "" });
  });
});

describe("prefetch, list, verify, prune, remove", () => {
  test("keep house", async () => {
    expect(await run("list")).toEqual({ ...quiet, stdout: "" });
    const fetched = await run("prefetch", slug, version);
    expect(fetched).toEqual({ ...quiet, stdout: `${slug} ${version}, ${megabytes}\n` });
    await run("prefetch", slug, version, "--file-type", ".img");
    const rows = [`${slug}  ${version}        ${megabytes}`, `${slug}  ${version}  .img  ${megabytes}`];
    expect(await run("list")).toEqual({ ...quiet, stdout: `${rows.join("\n")}\n` });
    expect(JSON.parse((await run("list", "--json")).stdout)).toHaveLength(2);

    expect((await run("verify")).stdout).toMatch(/^2 images, [\d.]+ MB checked\n$/);
    const removed = await run("remove", slug, version, "--file-type", ".img");
    expect(removed).toEqual({ ...quiet, stdout: `${slug} ${version}: deleted\n` });
    const again = await run("remove", slug, version, "--file-type", ".img", "--json");
    expect(again).toEqual({ code: 3, stderr: "", stdout: '{\n  "removed": false\n}\n' });

    expect((await run("prune", "--unused-days", "1")).stdout).toBe("0 B freed\n");
    const pruned = await run("prune", "--max-bytes", "1MiB");
    expect(pruned.stdout).toMatch(new RegExp(`^${slug}~6.1.0~\\w+: deleted\n[\\d.]+ MB freed\n$`));
    expect((await run("list")).stdout).toBe("");
  });

  test("verify exits with 7 if something is damaged, and repairs it", async () => {
    await run("prefetch", slug, version);
    const names = await readdir(join(home, "store"), { recursive: true, withFileTypes: true });
    const chunk = names.find((entry) => entry.isFile() && /chunks/.test(entry.parentPath))!;
    await writeFile(join(chunk.parentPath, chunk.name), "damaged");
    const found = await run("verify");
    expect(found).toMatchObject({
      code: 7,
      stdout: expect.stringContaining(`${slug} ${version}: 1 chunks damaged\n`),
    });
    const { code, stdout } = await run("verify", "--repair", "--json");
    expect([code, JSON.parse(stdout).damaged]).toEqual([0, [expect.objectContaining({ isRepaired: true })]]);
    expect((await run("verify")).code).toBe(0);
  });

  test("versions lists what there is", async () => {
    const { stdout } = await run("versions", slug);
    expect(stdout.split("\n")[1]).toBe("6.1.0             2025-12-30T00:00:00.000Z  default");
    const listed = JSON.parse((await run("versions", slug, "--json")).stdout);
    expect(listed).toEqual(expect.arrayContaining([expect.objectContaining({ version, draft: false })]));
  });
});

describe("serve", () => {
  test("serves until it is told to end", async () => {
    const { child, end, said } = start(["serve", "--port", "0", "--max-bytes", "1GB"]);
    const url = await eventually(() => /^http\S+/.exec(said().stdout)?.[0] ?? expect.fail(said().stderr));
    const response = await fetch(`${url}/images/${slug}/${version}`);
    expect(sha256(await response.bytes())).toBe(await image.sha256);
    const unknown = await fetch(`${url}/images/${slug}/9.9.9`);
    expect(unknown.status).toBe(404);
    child.kill("SIGTERM");
    expect(await end).toMatchObject({ code: 0, stderr: "" });
  });

  test("a port that is taken is said", async () => {
    const { port } = new URL(api.url);
    const end = await run("serve", "--port", port, "--max-bytes", "1GB");
    expect(end).toMatchObject({ code: 2, stderr: expect.stringContaining("EADDRINUSE") });
  });
});
