// Every check on one runtime, one after the other: each could see the other's requests else.
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Result, resultOf } from "../../runtimes/run/results.ts";
import { type BalenaApi, fixtureSlugs, startBalenaApi } from "../../support/balena-api/index.ts";
import { type Bench, type Check, type Image, imageAt, Limitation } from "./check.ts";
import type { Site, SiteRuntime } from "./sites.ts";

const imageBytes = 32 * 1024 * 1024;
const warmVersion = "6.1.0";
const { main: deviceType } = fixtureSlugs;
const coldVersions = Array.from({ length: 30 }, (_, index) => `5.0.${index}`);

/** Their results. */
export async function testColumn(
  runtime: SiteRuntime,
  project: string,
  rows: readonly (readonly [string, Check])[],
): Promise<Result[]> {
  await using api = await startBalenaApi({ imageBytes, downloads: "with-validators" });
  // Before the server starts, for it keeps the list.
  for (const version of coldVersions) api.releases.push({ deviceType, version });
  await using site = await runtime.start(project, api.url);
  const warm = imageAt(site, api, warmVersion);
  await (await fetch(warm.url)).arrayBuffer();
  const cold = coldImages(site, api);
  const results: Result[] = [];
  for (const [name, check] of rows) {
    const directory = await mkdtemp(join(project, "check-"));
    api.counters.reset();
    results.push(await resultOfCheck(name, check, { runtime, project, api, site, directory, warm, cold }));
    api.faults.reset();
    await rm(directory, { recursive: true });
  }
  return results;
}

function coldImages(site: Site, api: BalenaApi): Bench["cold"] {
  const versions = coldVersions.values();
  return async (fileType): Promise<Image> => {
    const { value: version } = versions.next();
    if (version === undefined) throw new Error("There are more checks than cold images");
    await api.image(deviceType, version).prepare(fileType ?? ".gz");
    return imageAt(site, api, version, fileType);
  };
}

async function resultOfCheck(name: string, check: Check, bench: Bench): Promise<Result> {
  const suite = "clients";
  try {
    const note = await check(bench);
    return { suite, name, outcome: "passed", ...(note !== undefined && { note }) };
  } catch (error) {
    if (error instanceof Limitation) return { suite, name, outcome: "skipped", detail: error.message };
    return { ...resultOf(name, "failed", String((error as Error).stack)), suite };
  }
}
