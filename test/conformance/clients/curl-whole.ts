// curl and whole images: what comes, under what name, and when somebody leaves.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { deepEqual, equal } from "../../runtimes/suites/assert.ts";
import { fixtureSlugs } from "../../support/balena-api/index.ts";
import { assertIsImage, type Checks, Limitation, subdirectory } from "../run/check.ts";
import { curl, curlEnding } from "./curl.ts";

/** The rows. */
export const curlWhole: Checks = {
  "curl: the whole of a cached image": async ({ directory, warm }) => {
    const { status, file } = await curl(directory, warm.url);
    equal(status, 200, "status");
    await assertIsImage(file, warm);
  },
  "curl: a cached image says its Content-Length": async ({ directory, warm, runtime }) => {
    const { headers } = await curl(directory, warm.url);
    const length = headers.get("content-length");
    if (length === null && runtime.dropsLength) throw new Limitation(runtime.dropsLength);
    equal(length, String(warm.size), "Content-Length");
  },
  "curl: the whole of a cold image": async ({ directory, cold, api }) => {
    const image = await cold();
    const { file } = await curl(directory, image.url);
    await assertIsImage(file, image);
    equal(api.counters.transfers, 1, "upstream transfers");
  },
  "curl -I: what a GET says": async ({ directory, warm, api }) => {
    const [head, get] = [await curl(directory, warm.url, "-I"), await curl(directory, warm.url)];
    equal(head.headers.get("content-length"), String(warm.size), "Content-Length");
    for (const name of ["etag", "last-modified", "accept-ranges", "content-type", "cache-control"]) {
      equal(head.headers.get(name), get.headers.get(name), name);
    }
    equal(api.counters.transfers, 0, "upstream transfers");
  },
  "curl -I: of a cold image begins no transfer": async ({ directory, cold, api }) => {
    const { status, headers } = await curl(directory, (await cold()).url, "-I");
    deepEqual([status, headers.get("content-length"), headers.get("etag")], [200, null, null], "the answer");
    equal(api.counters.transfers, 0, "upstream transfers");
  },
  "curl -OJL: from a range to a file with its name": async ({ directory, warm, site }) => {
    const ranged = `${site.url}/images/${fixtureSlugs.mainAlias}/${encodeURIComponent("~6.1.0")}`;
    const { status } = await curl(directory, ranged, "-OJL");
    equal(status, 200, "status after the redirect");
    const names = (await readdir(directory)).filter((name) => name !== "headers");
    deepEqual(names, [`${fixtureSlugs.main}-6.1.0.img`], "files");
    await assertIsImage(join(directory, names[0] ?? ""), warm);
  },
  "curl --max-time: who leaves half-way harms nobody": async (bench) => {
    const image = await bench.cold();
    bench.api.faults.linkBytesPerSecond = gzBytesPerSecond;
    const [leaver, ...others] = await Promise.all([1, 2, 3].map(() => subdirectory(bench)));
    const staying = others.map((directory) => curl(directory, image.url));
    await leave(leaver!, image.url);
    for (const { file } of await Promise.all(staying)) await assertIsImage(file, image);
    equal(bench.api.counters.transfers, 1, "upstream transfers");
  },
  "curl --max-time: who comes when all have left gets the whole": async (bench) => {
    const image = await bench.cold();
    bench.api.faults.linkBytesPerSecond = gzBytesPerSecond;
    await leave(bench.directory, image.url);
    bench.api.faults.linkBytesPerSecond = undefined;
    const { file } = await curl(bench.directory, image.url);
    await assertIsImage(file, image);
  },
};

/** The image shrinks to a fifth: it takes two seconds. */
const gzBytesPerSecond = 3.2 * 1024 * 1024;

/** curl says 28 when its time is up. */
function leave(directory: string, url: string): ReturnType<typeof curlEnding> {
  return curlEnding(28, directory, url, "--max-time", "1");
}
