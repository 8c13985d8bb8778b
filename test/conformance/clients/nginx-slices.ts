// nginx's slice module: an image in nginx's cache as many ranges, which come from one image or not at all.
import { readFile } from "node:fs/promises";
import { settles } from "../../../scripts/services/daemon.ts";
import { equal, ok } from "../../runtimes/suites/assert.ts";
import { assertIsBytes, assertIsImage, type Bench, type Checks, imageAt } from "../run/check.ts";
import { startNginx } from "../run/nginx.ts";
import { curl, curlEnding } from "./curl.ts";
import { assertRange, throughProxy } from "./nginx.ts";

const sliceBytes = 4 * 1024 * 1024;

/** The rows. */
export const nginxSlices: Checks = {
  "nginx slices: the whole, then from its cache": async (bench) => {
    await using proxy = await startNginx(bench.directory, bench.site.url, "sliced");
    const url = proxy.url + bench.warm.path;
    await bench.site.takeAnswers();
    equal(await throughProxy(bench, url, bench.warm), "MISS", "the first time");
    const parts = (await bench.site.takeAnswers()).filter(({ status }) => status === 206).length;
    equal(parts, bench.warm.size / sliceBytes, "slices that nginx asked for");
    equal(await throughProxy(bench, url, bench.warm), "HIT", "the second time");
    equal((await bench.site.takeAnswers()).length, 0, "requests of the second time");
  },
  "nginx slices: ranges": async (bench) => {
    await using proxy = await startNginx(bench.directory, bench.site.url, "sliced");
    for (let time = 0; time < 2; time++) await assertRange(bench, proxy.url + bench.warm.path, bench.warm);
  },
  "nginx slices: of two processes fit each other": async (bench) => {
    await using proxy = await startNginx(bench.directory, bench.site.url, "sliced");
    const url = proxy.url + bench.warm.path;
    await assertRange(bench, url, bench.warm);
    await bench.site.restart();
    await throughProxy(bench, url, bench.warm);
    const parts = (await bench.site.takeAnswers()).filter(({ status }) => status === 206).length;
    ok(parts > 0 && parts < bench.warm.size / sliceBytes, `the second process was asked for ${parts} slices`);
  },
  "nginx slices: of a changed image are never mixed": async (bench) => {
    try {
      await assertNoMixture(bench);
    } finally {
      bench.api.faults.change = undefined;
      await bench.site.restart();
    }
  },
  "nginx slices: a cold image, its size known": async (bench) => {
    await using proxy = await startNginx(bench.directory, bench.site.url, "sliced");
    const image = await bench.cold(".img");
    await throughProxy(bench, proxy.url + image.path, image);
    await throughProxy(bench, proxy.url + image.path, image);
    return `${bench.api.counters.transfers} upstream transfers`;
  },
  "nginx slices: a cold image, its size unknown: refused, and right when it is cached": async (bench) => {
    await using proxy = await startNginx(bench.directory, bench.site.url, "sliced");
    const image = await bench.cold();
    await curlEnding(52, bench.directory, proxy.url + image.path); // "empty reply"
    ok((await proxy.errors()).includes("no complete length in slice response"), "nginx says why");
    await curl(bench.directory, image.url);
    await throughProxy(bench, proxy.url + image.path, image);
  },
};

/** The first half goes into nginx's cache, the image changes upstream, the store follows, and then the whole is wanted. */
async function assertNoMixture({ directory, cold, site, api, ...bench }: Bench): Promise<void> {
  await using proxy = await startNginx(directory, site.url, "sliced");
  const old = await cold(".img");
  await curl(directory, old.url);
  // curl has its last byte a little before the commit, and only then is there an ETag.
  const hasEtag = async () => (await curl(directory, old.url, "-I")).headers.has("etag");
  ok(await settles(hasEtag, 10_000), "the image is stored");
  const half = await curl(directory, proxy.url + old.path, "-r", `0-${old.size / 2 - 1}`);
  await assertIsBytes(half.file, old.bytes(0, old.size / 2));
  api.faults.change = { content: true, validators: true };
  await site.restart({ maxAgeMs: 0 });
  const changed = imageAt(site, api, old.version, ".img", 1);
  await assertIsImage((await curl(directory, changed.url)).file, changed);
  const { file } = await curlEnding(18, directory, proxy.url + old.path); // "transfer closed with bytes remaining"
  const received = await readFile(file);
  await assertIsBytes(file, old.bytes(0, received.length));
  ok((await proxy.errors()).includes("etag mismatch in slice response"), "nginx says why");
  await using emptied = await startNginx(directory, site.url, "sliced");
  await throughProxy({ directory, cold, site, api, ...bench }, emptied.url + old.path, changed);
}
