// wget: whole files, resumption and timestamps.
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deepEqual, equal } from "../../runtimes/suites/assert.ts";
import { fixtureSlugs } from "../../support/balena-api/index.ts";
import {
  assertIsImage,
  type Bench,
  type Checks,
  ended,
  halfOf,
  type Image,
  runClient,
} from "../run/check.ts";

/** The rows. */
export const wget: Checks = {
  "wget: the whole of a cold image": async ({ directory, cold, api }) => {
    const image = await cold();
    await fetched(directory, image.url, "-O", "file");
    await assertIsImage(join(directory, "file"), image);
    equal(api.counters.transfers, 1, "upstream transfers");
  },
  "wget -c: goes on from half a file": async (bench) => {
    await resume(bench, bench.warm, [`bytes=${bench.warm.size / 2}-`]);
  },
  "wget -c: leaves a whole file as it is": async ({ directory, warm, site }) => {
    const file = join(directory, "file");
    await writeFile(file, warm.bytes());
    await site.takeAnswers();
    await fetched(directory, warm.url, "-c", "-O", "file");
    deepEqual(
      (await site.takeAnswers()).map(({ status }) => status),
      [416],
      "statuses",
    );
    await assertIsImage(file, warm);
  },
  "wget -c: of a cold image, its size known": async (bench) => {
    const image = await bench.cold(".img");
    await resume(bench, image, [`bytes=${image.size / 2}-`]);
  },
  "wget -c: of a cold image, its size unknown: begins again": async (bench) => {
    const image = await bench.cold();
    await resume(bench, image, [`bytes=${image.size / 2}-`]);
  },
  "wget -N --content-disposition: by name, and not again": async ({ directory, warm, site }) => {
    const ranged = `${site.url}/images/${fixtureSlugs.main}/${encodeURIComponent("~6.1.0")}`;
    await fetched(directory, ranged, "--content-disposition", "--trust-server-names");
    const [name = ""] = await readdir(directory);
    equal(name, `${fixtureSlugs.main}-6.1.0.img`, "file");
    await assertIsImage(join(directory, name), warm);
    const { mtimeMs } = await stat(join(directory, name));
    await site.takeAnswers();
    await fetched(directory, warm.url, "-N", "--content-disposition");
    deepEqual(await readdir(directory), [name], "files");
    equal((await stat(join(directory, name))).mtimeMs, mtimeMs, "time of the file");
    const bodies = (await site.takeAnswers()).filter(
      (answer) => answer.method === "GET" && answer.status < 300,
    );
    equal(bodies.length, 0, "images that were sent again");
  },
};

async function resume({ directory, site }: Bench, image: Image, ranges: string[]): Promise<void> {
  await writeFile(join(directory, "file"), halfOf(image));
  await site.takeAnswers();
  await fetched(directory, image.url, "-c", "-O", "file");
  deepEqual(
    (await site.takeAnswers()).map((answer) => answer.range),
    ranges,
    "ranges that were asked for",
  );
  await assertIsImage(join(directory, "file"), image);
}

/** It tries again by itself unless it is told not to. */
async function fetched(directory: string, url: string, ...args: string[]): Promise<void> {
  ended(await runClient("wget", ["-nv", "--tries=1", ...args, url], directory));
}
