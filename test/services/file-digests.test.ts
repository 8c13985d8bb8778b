// The SHA-256 and the block map of served images, judged by those who read them: curl with sha256sum, and bmaptool.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensureInstalled } from "../../scripts/services/install.ts";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { nodeHash, type RunningServer, serve } from "../../src/adapters/node/index.ts";
import { createImageHandler } from "../../src/core/http/index.ts";
import { run } from "../support/loop-devices.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const MiB = 1024 * 1024;
// The last chunk is short and ends within a block.
const imageBytes = 16 * MiB + 1000;
const api = await sharedApi({ imageBytes });
const root = await mkdtemp(join(tmpdir(), "file-digests-"));
afterAll(() => rm(root, { recursive: true, force: true }));

const { manager } = createTestManager(api, {
  ...{ storage: memoryAdapter(), sha256: true, hash: nodeHash, freshness: { maxAgeMs: 1e9 } },
});
const file = join(root, `${slug}-${version}.img`);
let server: RunningServer;
let url: string;
beforeAll(async () => {
  ensureInstalled([
    { program: "curl", packages: ["curl"] },
    { program: "bmaptool", packages: ["bmap-tools"] },
  ]);
  await manager.prefetch(slug, version);
  server = await serve(createImageHandler(manager, { authorize: () => true }), { port: 0 });
  url = `${server.url}/images/${slug}/${version}`;
}, 300_000);
afterAll(() => server?.close());

/** Without blocking this process, which serves. */
const curl = async (...args: string[]) => {
  const { execFile } = await import("node:child_process");
  const { promisify } = await import("node:util");
  return (await promisify(execFile)("curl", ["-fsSL", ...args], { cwd: root })).stdout;
};

test("sha256sum -c takes the line of /sha256 and the file as curl names it", async () => {
  await curl("-OJ", url);
  await writeFile(join(root, "line"), await curl(`${url}/sha256`));
  expect(run("sh", "-c", `cd ${root} && sha256sum -c line`)).toBe(`${slug}-${version}.img: OK`);
  const spoilt = await readFile(file);
  spoilt[imageBytes - 1]! ^= 1;
  await writeFile(file, spoilt);
  expect(() => run("sh", "-c", `cd ${root} && sha256sum -c line`)).toThrow(/did NOT match/);
});

test("bmaptool copies by the map of /bmap, checks every range, and leaves out the holes", async () => {
  await curl("-o", file, url);
  const map = join(root, "map.bmap");
  await curl("-o", map, `${url}/bmap`);
  const target = join(root, "target.img");
  const said = run("sh", "-c", `bmaptool copy --bmap ${map} ${file} ${target} 2>&1`);
  expect(said).toMatch(/block map format version 2\.0/);
  expect((await readFile(target)).equals(await readFile(file))).toBe(true);
  const [, blocks, mapped] = /(\d+) blocks of size 4096 \(.*\), mapped (\d+)/.exec(said) ?? [said];
  expect(Number(blocks), said).toBe(Math.ceil(imageBytes / 4096));
  expect(Number(mapped), said).toBeLessThan(Number(blocks));
});

test("bmaptool refuses an image with other bytes, and a map with other bytes", async () => {
  await curl("-o", file, url);
  const map = join(root, "map.bmap");
  await curl("-o", map, `${url}/bmap`);
  const copy = () => run("sh", "-c", `bmaptool copy --bmap ${map} ${file} ${join(root, "other.img")} 2>&1`);
  copy();
  const bytes = await readFile(file);
  bytes[bytes.findLastIndex((byte) => byte !== 0)]! ^= 1;
  await writeFile(file, bytes);
  expect(copy).toThrow();
  await curl("-o", file, url);
  const xml = await readFile(map, "utf8");
  await writeFile(map, xml.replace("<BlocksCount> ", "<BlocksCount>  "));
  expect(copy).toThrow();
});
