// The stores that runtimes share, on real servers: the table of who reads what from whom, and whether scripts end over them.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { withServices } from "../../../scripts/services/services.ts";
import { newBucket } from "../../support/s3-service.ts";
import type { StorePlace } from "../suites/store-at.ts";
import { testLambdaExample } from "./examples.ts";
import { testExits } from "./exits.ts";
import { startImagesWorker } from "./images-worker.ts";
import { processParty, workerParty } from "./parties.ts";
import { processRuntimes } from "./processes.ts";
import { type Result, resultOf } from "./results.ts";
import { type Cell, testSharedStore } from "./shared-store.ts";
import { storeTableOf } from "./store-table.ts";

/** What came out, and what is told beside it. */
export interface StoresReport {
  readonly results: Result[];
  readonly lines: string[];
}

interface Tested {
  readonly cells: Cell[];
  readonly exits: Result[];
}

type ServedKind = "redis" | "s3";

/** Tests the stores that are wanted: `stores fs`, which needs no server, `stores redis` and `stores s3`. */
export async function testStores(
  project: string,
  env: Record<string, string>,
  isWanted: (part: string) => boolean,
): Promise<StoresReport> {
  const kinds = (["redis", "s3"] as const).filter((kind) => isWanted(`stores ${kind}`));
  const tested = isWanted("stores fs") ? [await testFs(project)] : [];
  const failures: Result[] = [];
  if (kinds.length > 0) {
    const failed = (error: unknown) =>
      failures.push(resultOf("stores :: the servers run", "failed", String(error)));
    await testOnServers(kinds, project, env, tested).catch(failed);
  }
  const cells = tested.flatMap((one) => one.cells);
  const results = [
    ...cells.map(({ result }) => result),
    ...tested.flatMap(({ exits }) => exits),
    ...failures,
  ];
  return { results, lines: cells.length > 0 ? ["", storeTableOf(cells)] : [] };
}

/** Its exits are tested with each runtime. */
async function testFs(project: string): Promise<Tested> {
  const base = join(project, "stores", "shared");
  await mkdir(base, { recursive: true });
  return { cells: await testPlace({ kind: "fs", base }, project), exits: [] };
}

/** Where a server's program is missing, it is installed; where that can't be, the error says which command does it. */
async function testOnServers(
  kinds: readonly ServedKind[],
  project: string,
  env: Record<string, string>,
  tested: Tested[],
): Promise<void> {
  await withServices(async () => {
    for (const kind of kinds) {
      const place = await placeOf(kind);
      const cells = await testPlace(place, project);
      const exits: Result[] = [];
      for (const runtime of processRuntimes) {
        const results = await testExits(runtime, project, env, [place]);
        exits.push(...results.map((result) => ({ ...result, name: `${runtime.name}: ${result.name}` })));
      }
      if (place.kind === "s3") exits.push(await testLambdaExample(project, place.options));
      tested.push({ cells, exits });
    }
  });
}

async function placeOf(kind: ServedKind): Promise<StorePlace> {
  if (kind === "redis") return { kind, url: process.env["TEST_REDIS_URL"] ?? "" };
  return { kind, options: (await newBucket()).access };
}

async function testPlace(place: StorePlace, project: string): Promise<Cell[]> {
  const processes = processRuntimes.map((runtime) => processParty(runtime, project));
  const worker = await startImagesWorker(project, []);
  try {
    return await testSharedStore(place, [...processes, workerParty(worker)]);
  } finally {
    await worker.close();
  }
}
