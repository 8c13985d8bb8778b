// Processes that share one fs store: one transfer for all, and nobody loses when its owner is killed, stopped or comes back.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fsAdapter } from "../../../src/adapters/fs/index.ts";
import { startChild } from "../../support/children.ts";
import { arrayOf } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { stallNext } from "../../support/stall.ts";
import { createTestManager } from "../../support/test-manager.ts";

const MiB = 1024 * 1024;
const chunkBytes = MiB;
const imageBytes = 16 * MiB;
const api = await sharedApi({ imageBytes, holeFree: true, downloads: "with-validators" });
// The TTL is long for a test: on a busy machine a live owner may be kept from beating for a second.
const lease = { heartbeatMs: 200, ttlMs: 3_000, pollMs: 20 };

let base = "";
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "sharing-"));
});
afterEach(() => rm(base, { recursive: true, force: true }));

const sha256 = () => api.image(slug, version).sha256;
const start = (options: object = { fileType: ".img" }) =>
  startChild({ apiUrl: api.url, base, deviceType: slug, version, options, chunkBytes, lease });

/** Names of what is left of leases and journals. */
async function leftovers(): Promise<string[]> {
  const files = await readdir(base, { recursive: true });
  return files.filter((file) => /(leases|partials).*\.bin$/.test(file));
}

/** What a journal says is in the store. */
async function journaledBytes(): Promise<number> {
  const { manager } = createTestManager(api, { storage: fsAdapter({ base }) });
  const [image] = await arrayOf(manager.list());
  return image?.isComplete === false ? image.transferredBytes : 0;
}

test("8 processes make one upstream transfer", async () => {
  const goOn = stallNext(api);
  const processes = Array.from({ length: 8 }, () => start({}));
  await Promise.all(processes.map((process) => process.delivered(chunkBytes))); // all have joined by then
  goOn();
  const reports = await Promise.all(processes.map((process) => process.ended()));
  for (const report of reports) expect(report).toMatchObject({ bytes: imageBytes, sha256: await sha256() });
  expect(api.counters.transfers).toBe(1);
  expect(reports.filter(({ events }) => events.includes("committed"))).toHaveLength(1);
  expect(await leftovers()).toEqual([]);
});

test("after a kill at 50 % the next process fetches no more than two chunks again", async () => {
  stallNext(api);
  const killed = start();
  await killed.delivered(imageBytes / 2);
  await eventually(async () =>
    expect(await journaledBytes()).toBeGreaterThanOrEqual(imageBytes / 2 - chunkBytes),
  );
  killed.kill("SIGKILL");
  await killed.ended();
  const { bytesSent } = api.counters;

  const report = await start().ended();
  expect(report).toMatchObject({ bytes: imageBytes, sha256: await sha256(), isCommitted: true });
  expect(report.events).toContain("resumed");
  // What was on the wire when the process died had not been received: only chunks count.
  expect(api.counters.bytesSent - bytesSent).toBeLessThanOrEqual(imageBytes / 2 + 2 * chunkBytes);
  expect(await leftovers()).toEqual([]);
});

test.each([{ fileType: ".img" }, {}])("a follower takes over from a killed owner (%o)", async (options) => {
  api.faults.stall = { atPercent: 50 }; // the owner must not be done before the follower has started
  const owner = start(options);
  await owner.delivered(2 * chunkBytes);
  const follower = start(options);
  await follower.delivered(2 * chunkBytes);
  owner.kill("SIGKILL");
  api.faults.stall = undefined;
  expect(await follower.ended()).toMatchObject({
    bytes: imageBytes,
    sha256: await sha256(),
    isCommitted: true,
  });
  expect(api.counters.transfers).toBe(2);
  expect(await leftovers()).toEqual([]);
});

test("an owner that is stopped loses its lease, and ends right when it comes back", async () => {
  const goOn = stallNext(api);
  const owner = start();
  await owner.delivered(2 * chunkBytes);
  const follower = start();
  await follower.delivered(2 * chunkBytes);
  owner.kill("SIGSTOP");
  await follower.delivered(imageBytes / 2 + chunkBytes);
  owner.kill("SIGCONT");
  goOn();
  const reports = await Promise.all([owner.ended(), follower.ended()]);
  for (const report of reports) expect(report).toMatchObject({ bytes: imageBytes, sha256: await sha256() });
  expect(api.counters.transfers).toBeLessThanOrEqual(3);
  expect(await leftovers()).toEqual([]);
});
