// One store, many runtimes: what each fills, every one reads; and all at once make one transfer of a cold image.
import { type BalenaApi, fixtureSlugs, startBalenaApi } from "../../support/balena-api/index.ts";
import type { StoreReport, StoreTask } from "../entries/store.ts";
import { deepEqual, equal } from "../suites/assert.ts";
import type { StorePlace } from "../suites/store-at.ts";
import type { Party } from "./parties.ts";
import { type Result, resultOf } from "./results.ts";

/** How a get over the store came out. */
export interface Cell {
  readonly store: StorePlace["kind"];
  /** Who had put the image there; `undefined` where all were at it at once. */
  readonly filledBy: string | undefined;
  readonly readBy: string;
  /** Upstream transfers that filled it. */
  readonly transfers: number;
  readonly result: Result;
}

interface Bench {
  readonly api: BalenaApi;
  readonly parties: readonly Party[];
  task(source: StoreTask["source"], versions: readonly string[]): StoreTask;
  /** Runs a check as a cell of the table. */
  cell(about: Pick<Cell, "filledBy" | "readBy" | "transfers">, check: () => Promise<void>): Promise<Cell>;
}

const imageBytes = 8 * 1024 * 1024;
const deviceType = fixtureSlugs.main;
const coldVersion = "8.0.0";
/** Some seconds for an image as it travels: time enough for the slowest to start. */
const coldBytesPerSecond = 600_000;

/** Fills a store by each party and reads it by each; then has all of them get one more image at once. */
export async function testSharedStore(place: StorePlace, everyone: readonly Party[]): Promise<Cell[]> {
  await using api = await startBalenaApi({ imageBytes, holeFree: true, downloads: "with-validators" });
  const parties = everyone.filter((party) => party.reaches(place));
  const cell: Bench["cell"] = async (about, check) => {
    const who = about.filledBy === undefined ? "all at once" : `filled by ${about.filledBy}`;
    const name = `stores ${place.kind} :: ${who}, read by ${about.readBy}`;
    const failure = await check().then(
      () => undefined,
      (error: Error) => String(error.stack),
    );
    const result = resultOf(name, failure === undefined ? "passed" : "failed", failure);
    return { ...about, store: place.kind, result };
  };
  const task: Bench["task"] = (source, versions) => ({
    ...{ place, source, versions, deviceType },
    ...{ apiUrl: api.url, token: api.token },
  });
  const bench = { api, parties, task, cell };
  return [...(await fillAndRead(bench)), ...(await getAtOnce(bench))];
}

/** Each fills with a version of its own, by the SDK where it has that, and reads all of them by plain `fetch`. */
async function fillAndRead({ api, parties, task, cell }: Bench): Promise<Cell[]> {
  const versions = parties.map((_, index) => `7.0.${index}`);
  for (const version of versions) api.releases.push({ deviceType, version });
  const transfers: number[] = [];
  for (const [index, party] of parties.entries()) {
    api.counters.reset();
    // What went wrong here shows in every cell that reads it.
    await party.get(task("sdk", versions.slice(index, index + 1))).catch(() => undefined);
    transfers.push(api.counters.transfers);
  }
  const cells: Cell[] = [];
  for (const reader of parties) {
    api.counters.reset();
    const reading = reader.get(task("api", versions));
    await reading.catch(() => undefined);
    for (const [index, filler] of parties.entries()) {
      const about = { filledBy: filler.name, readBy: reader.name, transfers: transfers[index] ?? 0 };
      const check = async () => isFromStore(api, versions[index] ?? "", await reading, about.transfers);
      cells.push(await cell(about, check));
    }
  }
  return cells;
}

async function isFromStore(
  api: BalenaApi,
  version: string,
  reports: StoreReport[],
  fills: number,
): Promise<void> {
  const report = reports.find((one) => one.version === version);
  const { sha256 } = api.image(deviceType, version);
  deepEqual([report?.origin, report?.sha256], ["cache", await sha256], "origin and SHA-256");
  equal(fills, 1, "transfers that filled it");
  const asked = api.counters.requestLog.filter(({ url }) => url.includes(`version=${version}`));
  equal(asked.length, 0, "upstream requests for it while it was read");
}

async function getAtOnce({ api, parties, task, cell }: Bench): Promise<Cell[]> {
  api.releases.push({ deviceType, version: coldVersion });
  await api.image(deviceType, coldVersion).prepare();
  api.counters.reset();
  api.faults.linkBytesPerSecond = coldBytesPerSecond;
  const gets = await Promise.allSettled(parties.map((party) => party.get(task("sdk", [coldVersion]))));
  const { transfers } = api.counters;
  const { sha256 } = api.image(deviceType, coldVersion);
  const cells = parties.map(({ name }, index) =>
    cell({ filledBy: undefined, readBy: name, transfers }, async () => {
      const got = gets[index];
      if (got?.status !== "fulfilled") throw got?.reason;
      // From the network: none was so late that it found the image there.
      const [report] = got.value;
      deepEqual([report?.origin, report?.sha256], ["network", await sha256], "origin and SHA-256");
      equal(transfers, 1, "upstream transfers of all together");
    }),
  );
  return Promise.all(cells);
}
