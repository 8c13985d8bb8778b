// nginx as a caching proxy, as docs/serving.md configures it, with curl before it.
import { deepEqual, equal } from "../../runtimes/suites/assert.ts";
import {
  assertIsBytes,
  assertIsImage,
  type Bench,
  type Checks,
  type Image,
  Limitation,
  subdirectory,
} from "../run/check.ts";
import { startNginx } from "../run/nginx.ts";
import { curl } from "./curl.ts";

/** The rows. */
export const nginx: Checks = {
  "nginx: the whole, then from its cache": async (bench) => {
    await using proxy = await startNginx(bench.directory, bench.site.url, "whole");
    const url = proxy.url + bench.warm.path;
    await bench.site.takeAnswers();
    equal(await throughProxy(bench, url, bench.warm), "MISS", "the first time");
    equal(await throughProxy(bench, url, bench.warm), "HIT", "the second time");
    equal((await bench.site.takeAnswers()).length, 1, "requests of nginx");
  },
  "nginx: ranges of what it has in its cache": async (bench) => {
    const { dropsLength } = bench.runtime;
    await using proxy = await startNginx(bench.directory, bench.site.url, "whole");
    const url = proxy.url + bench.warm.path;
    await throughProxy(bench, url, bench.warm);
    const { headers } = await curl(bench.directory, url);
    if (dropsLength && !headers.has("content-length")) throw new Limitation(dropsLength);
    await assertRange(bench, url, bench.warm);
  },
  "nginx: a cold image is kept when it has its ETag": async (bench) => {
    await using proxy = await startNginx(bench.directory, bench.site.url, "whole");
    const image = await bench.cold();
    const url = proxy.url + image.path;
    const states: unknown[] = [];
    for (let time = 0; time < 3; time++) states.push(await throughProxy(bench, url, image));
    deepEqual(states, ["MISS", "MISS", "HIT"], "cache states");
    equal(bench.api.counters.transfers, 1, "upstream transfers");
  },
  "nginx: 6 clients of a cold image at once": async (bench) => {
    await using proxy = await startNginx(bench.directory, bench.site.url, "whole");
    const image = await bench.cold();
    await bench.site.takeAnswers();
    const clients = Array.from({ length: 6 }, () => throughProxy(bench, proxy.url + image.path, image));
    await Promise.all(clients);
    equal(bench.api.counters.transfers, 1, "upstream transfers");
    return `${(await bench.site.takeAnswers()).length} requests of nginx`;
  },
  "nginx: HEAD of a cold image begins no transfer": async (bench) => {
    await using proxy = await startNginx(bench.directory, bench.site.url, "whole");
    const { status } = await curl(bench.directory, proxy.url + (await bench.cold()).path, "-I");
    deepEqual([status, bench.api.counters.transfers], [200, 0], "status and upstream transfers");
  },
};

/** Gets the whole, and says what nginx says of its cache. */
export async function throughProxy(bench: Bench, url: string, image: Image): Promise<string | null> {
  const { status, headers, file } = await curl(await subdirectory(bench), url);
  equal(status, 200, "status");
  await assertIsImage(file, image);
  return headers.get("x-cache-status");
}

/** Gets a part from the middle, over several chunks and slices. */
export async function assertRange(bench: Bench, url: string, image: Image): Promise<void> {
  const [start, end] = [9_000_000, 30_000_000];
  const { status, headers, file } = await curl(await subdirectory(bench), url, "-r", `${start}-${end - 1}`);
  const range = `bytes ${start}-${end - 1}/${image.size}`;
  deepEqual([status, headers.get("content-range")], [206, range], "status and Content-Range");
  await assertIsBytes(file, image.bytes(start, end));
}
