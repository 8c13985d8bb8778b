// aria2c: a file in several ranges at once, and one that was stopped.
import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { equal, ok } from "../../runtimes/suites/assert.ts";
import {
  assertIsImage,
  type Bench,
  type Checks,
  ended,
  type Image,
  Limitation,
  runClient,
} from "../run/check.ts";

/** The rows. */
export const aria2: Checks = {
  "aria2c -x8: the whole of a cached image": async (bench) => {
    await fetchInRanges(bench, bench.warm);
  },
  "aria2c -x8: really several ranges": async (bench) => {
    const parts = await fetchInRanges(bench, bench.warm, "--max-overall-download-limit=32M");
    if (parts === 0 && bench.runtime.dropsLength) throw new Limitation(bench.runtime.dropsLength);
    ok(parts >= 4, `only ${parts} parts`);
    return `${parts} parts`;
  },
  "aria2c -x8: the whole of a cold image": async (bench) => {
    await fetchInRanges(bench, await bench.cold());
    equal(bench.api.counters.transfers, 1, "upstream transfers");
  },
  "aria2c -x8: of a cold image, its size known": async (bench) => {
    const parts = await fetchInRanges(bench, await bench.cold(".img"));
    return `${parts} parts, ${bench.api.counters.transfers} upstream transfers`;
  },
  "aria2c -c: goes on with what was stopped": async ({ directory, warm, runtime }) => {
    const stopped = await run(directory, warm.url, "--max-overall-download-limit=16M", "--stop=1");
    ended(stopped, unfinished);
    const isResumable = (await readdir(directory)).includes("file.aria2");
    if (!isResumable && runtime.dropsLength) throw new Limitation(runtime.dropsLength);
    await access(join(directory, "file.aria2"));
    ended(await run(directory, warm.url, "-c"));
    await assertIsImage(join(directory, "file"), warm);
  },
};

const unfinished = 7;

/** How many parts there were: a limit gives aria2c the time to ask for them. */
async function fetchInRanges({ directory, site }: Bench, image: Image, ...args: string[]): Promise<number> {
  await site.takeAnswers();
  ended(await run(directory, image.url, ...args));
  await assertIsImage(join(directory, "file"), image);
  return (await site.takeAnswers()).filter(({ status }) => status === 206).length;
}

function run(directory: string, url: string, ...args: string[]): ReturnType<typeof runClient> {
  const settings = ["-x8", "-s8", "-k1M", "--no-conf", "--file-allocation=none", "--max-tries=1"];
  return runClient("aria2c", [...settings, "-q", "-o", "file", ...args, url], directory);
}
