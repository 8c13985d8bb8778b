// Images as balena has them: a FAT boot partition, DEFLATE parts, a `.gz` glued of them, configured ones; balena's own modules are the judge.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import type { Judgement } from "./balena-judge.ts";
import { layOut } from "./disk-layout.ts";
import { type ServedImage, startBalenaApi } from "./index.ts";
import { rawRequest } from "./raw-request.ts";

const run = promisify(execFile);
const [slug, version] = ["raspberrypi4-64", "6.1.0"];
const directory = await mkdtemp(join(tmpdir(), "parts-"));
afterAll(() => rm(directory, { recursive: true }));
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

async function judge(image: ServedImage): Promise<Judgement> {
  const file = join(directory, "image.img");
  await writeFile(file, await image.content());
  const script = fileURLToPath(new URL("balena-judge.ts", import.meta.url));
  return JSON.parse((await run(process.execPath, [script, file])).stdout) as Judgement;
}

const KiB = 1024;
const wifi = { wifiSsid: "home", wifiKey: "hunter2hunter2", developmentMode: true };

describe.each([
  ["of 1 MiB", { imageBytes: KiB * KiB }],
  ["of 40 MiB, with whole chunks of zeros", { imageBytes: 40 * KiB * KiB }],
  ["of no whole number of sectors, without free space", { imageBytes: KiB * KiB + 12_345, holeFree: true }],
])("an image %s", (_, options) => {
  test.each([
    ["plain", {}, { wifi: "NOENT", keys: ["deviceType", "persistentLogging", "localMode"] }],
    [
      "configured",
      wifi,
      { wifi: expect.stringContaining("psk=hunter2hunter2"), keys: ["deviceType", "developmentMode"] },
    ],
  ])("%s: parts, .gz and files are what balena's modules make of it", async (_, query, expected) => {
    await using api = await startBalenaApi(options);
    const url = `${api.url}/download?${new URLSearchParams({ deviceType: slug, version, fileType: ".gz", ...stringsOf(query) })}`;
    const { body, headers } = await rawRequest(url);
    const judgement = await judge(api.image(slug, version, query));
    expect(sha256(body)).toBe(judgement.gzSha256);
    const sumOfParts = judgement.parts.reduce((sum, { zLen }) => sum + zLen, 0);
    expect(headers["content-length"]).toBe(String(sumOfParts + 20));
    expect(judgement.parts.reduce((sum, { len }) => sum + len, 0)).toBe(api.image(slug, version).size);
    expect(judgement.files["/system-connections/balena-wifi-01"]).toEqual(expected.wifi);
    expect(Object.keys(JSON.parse(judgement.files["/config.json"]!))).toEqual(expected.keys);
    expect(JSON.parse(judgement.files["/device-type.json"]!)).toMatchObject({ slug });
  });

  test.skipIf(!existsSync("/usr/sbin/fsck.vfat"))(
    "has a boot partition that fsck.vfat finds clean",
    async () => {
      await using api = await startBalenaApi(options);
      const { start, end } = layOut(options.imageBytes, "holeFree" in options).partitions[0]!;
      const file = join(directory, "boot.img");
      await writeFile(file, api.image(slug, version).bytes(start, end));
      await expect(run("/usr/sbin/fsck.vfat", ["-n", file])).resolves.toMatchObject({
        stdout: expect.stringContaining("files"),
      });
    },
  );
});

describe("a configured image", () => {
  const url = (api: { url: string }) =>
    `${api.url}/download?deviceType=${slug}&version=${version}&fileType=.gz&developmentMode=true`;

  test("is never the same bytes twice, and known as it was served last", async () => {
    await using api = await startBalenaApi({ imageBytes: KiB * KiB });
    const served = new Set<string>();
    for (let round = 0; round < 3; round++) served.add(sha256((await rawRequest(url(api))).body));
    expect(served.size).toBe(3);
    const plain = url(api).replace("developmentMode=true", "developmentMode=false");
    expect((await rawRequest(plain)).body).toEqual((await rawRequest(plain)).body);
    const [last] = [...served].slice(-1);
    expect((await judge(api.image(slug, version, { developmentMode: true }))).gzSha256).toBe(last);
  });

  test("is the same bytes if the image maker's clock stands", async () => {
    await using api = await startBalenaApi({ imageBytes: KiB * KiB });
    api.faults.imageMakerClock = new Date(2026, 6, 5, 4, 3, 2);
    const { body } = await rawRequest(url(api));
    expect(await rawRequest(url(api))).toMatchObject({ body });
    api.faults.imageMakerClock = new Date(2026, 6, 5, 4, 3, 4);
    expect((await rawRequest(url(api))).body.equals(body)).toBe(false);
  });

  test("differs in two sectors, in few bytes", async () => {
    await using api = await startBalenaApi({ imageBytes: KiB * KiB });
    const plain = api.image(slug, version).bytes();
    const development = await api.image(slug, version, { developmentMode: true }).content();
    const places = [...plain.keys()].filter((at) => plain[at] !== development[at]);
    expect(new Set(places.map((at) => at >> 9)).size).toBe(2);
  });
});

function stringsOf(query: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]));
}
