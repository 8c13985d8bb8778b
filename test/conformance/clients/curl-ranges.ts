// curl and parts of images: resumption, ranges, and images that are not there yet.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deepEqual, equal, ok } from "../../runtimes/suites/assert.ts";
import { assertIsBytes, assertIsImage, type Bench, type Checks, halfOf, type Image } from "../run/check.ts";
import { type Answer, curl, curlEnding } from "./curl.ts";

/** The rows. */
export const curlRanges: Checks = {
  "curl -C -: goes on from half a file": async (bench) => {
    await resume(bench, bench.warm);
  },
  "curl -C -: leaves a whole file as it is": async ({ directory, warm }) => {
    await writeFile(join(directory, "body"), warm.bytes());
    const { status, file } = await curl(directory, warm.url, "-C", "-");
    equal(status, 416, "status");
    await assertIsImage(file, warm);
  },
  "curl -C -: of a cold image, its size known": async (bench) => {
    await resume(bench, await bench.cold(".img"));
  },
  "curl -C -: of a cold image, its size unknown: refused, and again when it is cached": async (bench) => {
    const image = await bench.cold();
    await writeFile(join(bench.directory, "body"), halfOf(image));
    const { file } = await curlEnding(33, bench.directory, image.url, "-C", "-"); // "does not support ranges"
    await assertIsBytes(file, halfOf(image));
    await curl(bench.directory, image.url, "-o", "other");
    await curl(bench.directory, image.url, "-C", "-");
    await assertIsImage(file, image);
  },
  "curl -r: first-last, open, suffix, one byte": async ({ directory, warm }) => {
    const { size } = warm;
    const spans: [string, number, number][] = [
      ["0-99", 0, 100],
      ["4194300-4194399", 4_194_300, 4_194_400], // over the border of two chunks
      ["9000000-29999999", 9_000_000, 30_000_000],
      [`${size - 1000}-`, size - 1000, size],
      ["-1", size - 1, size],
      [`${size - 10}-${size + 10}`, size - 10, size],
    ];
    for (const [spec, start, end] of spans) {
      const answer = await curl(directory, warm.url, "-r", spec);
      await assertIsPart(answer, warm, start, end, String(size));
    }
  },
  "curl -r: of a cold image": async ({ directory, cold, api }) => {
    const [image, start, end] = [await cold(), 5_000_000, 5_100_000];
    const answer = await curl(directory, image.url, "-r", `${start}-${end - 1}`);
    await assertIsPart(answer, image, start, end, "*");
    ok(api.counters.transfers <= 1, `upstream transfers: ${api.counters.transfers}`);
  },
  "curl -r: 416 behind the end": async ({ directory, warm }) => {
    const { status, headers } = await curl(directory, warm.url, "-r", `${warm.size}-`);
    deepEqual([status, headers.get("content-range")], [416, `bytes */${warm.size}`], "the answer");
  },
};

async function resume({ directory, site }: Bench, image: Image): Promise<void> {
  const half = halfOf(image);
  await writeFile(join(directory, "body"), half);
  await site.takeAnswers();
  const { status, file, headers } = await curl(directory, image.url, "-C", "-");
  equal(status, 206, "status");
  const range = `bytes ${half.length}-${image.size - 1}/${image.size}`;
  equal(headers.get("content-range"), range, "Content-Range");
  const asked = (await site.takeAnswers()).map((answer) => answer.range);
  deepEqual(asked, [`bytes=${half.length}-`], "ranges that were asked for");
  await assertIsImage(file, image);
}

async function assertIsPart(
  { status, headers, file }: Answer,
  image: Image,
  start: number,
  end: number,
  size: string,
): Promise<void> {
  const told = [status, headers.get("content-range")];
  deepEqual(told, [206, `bytes ${start}-${end - 1}/${size}`], "status and Content-Range");
  await assertIsBytes(file, image.bytes(start, end));
}
