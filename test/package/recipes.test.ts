// The programs of docs/frameworks.md as they stand there, each in the framework that it is for, asked as clients ask.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { startBalenaApi } from "../support/balena-api/index.ts";
import { sharedFakeS3 } from "../support/fake-s3.ts";
import { fencedBlocks } from "./docs/fenced-blocks.ts";

const MiB = 1024 * 1024;
const [slug, version] = ["raspberrypi4-64", "6.1.0"];
const bearer = { authorization: "Bearer a-token-of-the-test" };
const fixture = fileURLToPath(new URL("recipes", import.meta.url));

const page = await readFile(new URL("../../docs/frameworks.md", import.meta.url), "utf8");
const recipes = new Map(
  fencedBlocks(page).flatMap(({ info, code }) => {
    const [, file] = /^js recipe: (\S+)$/.exec(info) ?? [];
    return file ? [[file, code] as const] : [];
  }),
);

const api = await startBalenaApi({ imageBytes: 3 * MiB });
const s3 = await sharedFakeS3();
const image = api.image(slug, version);
const sha256 = await image.sha256;
afterAll(() => api.close());

const directory = join(inject("project"), "recipes");
const children: ChildProcess[] = [];
beforeAll(async () => {
  const install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  await promisify(execFile)("npm", install, { cwd: fixture });
}, 300_000);
afterAll(() => children.forEach((child) => void child.kill("SIGKILL")));

/** Lays a recipe and what it shares with others into a directory of its own, whose store is empty. */
async function place(file: string): Promise<string> {
  const own = join(directory, file.replace(/\..*$/, ""));
  await mkdir(own, { recursive: true });
  await writeFile(join(own, "package.json"), '{ "type": "module" }');
  await symlink(join(fixture, "node_modules"), join(own, "node_modules"));
  for (const name of ["images.js", file]) await writeFile(join(own, name), recipes.get(name)!);
  for (const name of ["preload.ts", "routes.ts"])
    await copyFile(new URL(`docs/${name}`, import.meta.url), join(own, name));
  await copyFile(join(fixture, "host.js"), join(own, "host.js"));
  return own;
}

/** Runs a program there, whose requests to balena end at the loopback API. */
function run(cwd: string, file: string) {
  const servers = JSON.stringify({ api: api.url, s3: s3.url });
  const aws = { AWS_REGION: "eu-central-1", AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };
  const env = {
    ...{ PATH: process.env["PATH"], HOME: cwd, NO_COLOR: "1", ...aws, AWS_ENDPOINT_URL_S3: s3.url },
    ...{ DOCS_SERVERS: servers, IMAGES_TOKEN: "a-token-of-the-test" },
  };
  const child = spawn(process.execPath, ["--import", "./preload.ts", file], { cwd, env });
  children.push(child);
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (text) => void Object.assign(output, { stdout: output.stdout + text }));
  child.stderr.on("data", (text) => void Object.assign(output, { stderr: output.stderr + text }));
  return { child, output };
}

/** Its origin, as soon as it listens. */
async function start(file: string): Promise<string> {
  const cwd = await place(file);
  // Two recipes are files that a framework loads: it is stood in for by the few lines of host.js.
  const isRoute = /^(nitro|next)\.js$/.test(file);
  const { child, output } = run(cwd, isRoute ? "host.js" : file);
  return vi.waitFor(
    () => {
      const [, url] = /^listens at (\S+)\n/m.exec(output.stderr) ?? [];
      if (child.exitCode !== null) throw new Error(`${file} ended: ${output.stderr}`);
      return url ?? expect.fail(`${file} does not listen: ${output.stderr}`);
    },
    { timeout: 30_000 },
  );
}

const shaOf = async (response: Response) =>
  createHash("sha256")
    .update(await response.bytes())
    .digest("hex");

const needLogin = ["express.js", "nitro.js"];
const haveCors = ["express.js", "hono.js"];
const servers = [
  "node-http.js",
  "express.js",
  "fastify.js",
  "koa.js",
  "nest.js",
  "hono.js",
  "nitro.js",
  "next.js",
];

describe.each(servers)("%s", (file) => {
  let base = "";
  const get = (path: string, init: RequestInit = {}) =>
    fetch(`${base}${path}`, { ...init, headers: { ...bearer, ...(init.headers as Record<string, string>) } });
  const path = `/images/${slug}/${version}`;
  beforeAll(async () => {
    base = `${await start(file)}/os`;
  });

  test("an image comes whole, and the second time with its facts", async () => {
    const first = await get(path);
    expect([first.status, await shaOf(first)]).toEqual([200, sha256]);
    // The client has the last byte a moment before the image is committed.
    const second = await vi.waitFor(async () => {
      const response = await get(path);
      if (response.headers.has("etag")) return response;
      await response.body?.cancel();
      return expect.fail("not committed yet");
    });
    expect(second.headers.get("content-length")).toBe(String(image.size));
    expect(second.headers.get("content-type")).toBe("application/octet-stream");
    expect(await shaOf(second)).toBe(sha256);
    const etag = second.headers.get("etag") ?? "";
    expect((await get(path, { headers: { "if-none-match": etag } })).status).toBe(304);
  });

  test("HEAD and ranges", async () => {
    const head = await get(path, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, String(image.size)]);
    expect((await head.bytes()).length).toBe(0);
    const part = await get(path, { headers: { range: "bytes=1000-1999" } });
    expect([part.status, (await part.bytes()).length]).toEqual([206, 1000]);
    expect(part.headers.get("content-range")).toBe(`bytes 1000-1999/${image.size}`);
  });

  test("a redirect stays below the prefix, and lists are there", async () => {
    const redirect = await get(`/images/${slug}/~6.1.0`, { redirect: "manual" });
    expect(redirect.status).toBe(302);
    const followed = await get(`/images/${slug}/~6.1.0`);
    expect([new URL(followed.url).pathname, await shaOf(followed)]).toEqual([`/os${path}`, sha256]);
    expect(await (await get("/images")).json()).toMatchObject([{ deviceType: slug, version }]);
  });

  test("a path that is none, and a method that is none", async () => {
    const nothing = await get("/nothing");
    expect([nothing.status, nothing.headers.get("content-type")]).toEqual([404, "application/problem+json"]);
    if (file === "next.js") return; // the framework itself answers what the route does not export
    const post = await get(path, {
      method: "POST",
      body: '{"a":1}',
      headers: { "content-type": "application/json" },
    });
    expect(post.status).toBe(405);
  });

  if (needLogin.includes(file))
    test("who has no token gets nothing, and answers are private", async () => {
      const response = await fetch(`${base}${path}`);
      expect(response.status).toBe(401);
      expect((await get(path, { method: "HEAD" })).headers.get("cache-control")).toMatch(/^private/);
    });

  if (haveCors.includes(file))
    test("a page of another origin may ask, and read what it needs", async () => {
      const asking = { origin: "https://a.example", "access-control-request-method": "GET" };
      const question = await fetch(`${base}${path}`, {
        method: "OPTIONS",
        headers: { ...asking, "access-control-request-headers": "range,authorization" },
      });
      expect([question.status, question.headers.get("access-control-allow-origin")]).toEqual([204, "*"]);
      const answer = await get(path, { headers: { origin: "https://a.example", range: "bytes=0-9" } });
      expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([206, "*"]);
      expect(answer.headers.get("access-control-expose-headers")).toContain("Content-Range");
    });

  test("a client that leaves ends the transfer at the upstream", async () => {
    api.faults.linkBytesPerSecond = 64 * 1024;
    const leaving = new AbortController();
    const answer = get(`/images/${slug}/6.0.10`, { signal: leaving.signal }).catch(() => undefined);
    await vi.waitFor(() => expect(api.counters.openConnections).toBeGreaterThan(0), { timeout: 10_000 });
    leaving.abort();
    await answer;
    await vi.waitFor(() => expect(api.counters.openConnections).toBe(0), { timeout: 10_000 });
    api.faults.reset();
    expect((await get(path)).status).toBe(200);
  });
});

test("presigned.js copies the image into an object, and its URL leads to it", async () => {
  const { child, output } = run(await place("presigned.js"), "presigned.js");
  await new Promise((resolve) => child.once("close", resolve));
  expect(output.stderr).toBe("");
  const url = output.stdout.trim();
  expect(url).toContain("X-Amz-Signature=");
  const response = await fetch(url);
  expect([response.status, await shaOf(response)]).toEqual([200, sha256]);
  expect([...s3.objects.keys()]).toEqual([`${slug}-${version}.img`]);
}, 60_000);

test("the page has no recipe that no test runs", () => {
  expect([...recipes.keys()].sort()).toEqual(["images.js", "presigned.js", ...servers].sort());
});
