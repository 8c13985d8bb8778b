// Real HTTP clients against the handler on every runtime, from the built package: `npm run test:conformance`. Arguments narrow it
// to the runtimes whose names begin so, `--rows TEXT` to the rows that contain a text: `npm run test:conformance -- Bun --rows aria2c`.
// Without arguments, or with `--rows etcher-sdk` alone, the loopback balena API is compared with balena's own code as well,
// and so are images that this library derives.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureInstalled } from "../../scripts/services/install.ts";
import { installPackage } from "../package/pack.ts";
import { inLanes } from "../runtimes/run/lanes.ts";
import { type Result, resultOf } from "../runtimes/run/results.ts";
import { countOf } from "../runtimes/run/table.ts";
import { aria2 } from "./clients/aria2.ts";
import { crowd } from "./clients/crowd.ts";
import { curlConditions } from "./clients/curl-conditions.ts";
import { curlRanges } from "./clients/curl-ranges.ts";
import { curlWhole } from "./clients/curl-whole.ts";
import { nginx } from "./clients/nginx.ts";
import { nginxSlices } from "./clients/nginx-slices.ts";
import { wget } from "./clients/wget.ts";
import { type Comparison, compareWithEtcher, comparisonTable } from "./etcher/compare.ts";
import { type Judged, judgeDerivedImages, judgedTable } from "./etcher/derived/compare.ts";
import { judgeRandomFiles } from "./etcher/derived/random-files.ts";
import type { Checks } from "./run/check.ts";
import { testColumn } from "./run/column.ts";
import { requirements } from "./run/requirements.ts";
import { installEntries, type SiteRuntime, siteRuntimes } from "./run/sites.ts";
import { notesOf, tableOf } from "./run/table.ts";

const checks: Checks = {
  ...{ ...curlWhole, ...curlRanges, ...curlConditions, ...wget, ...aria2 },
  ...{ ...nginx, ...nginxSlices, ...crowd },
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rows: { type: "string", default: "" } },
});
const runtimes = siteRuntimes.filter(
  ({ name }) => positionals.length === 0 || positionals.some((start) => name.startsWith(start)),
);
const rows = Object.entries(checks).filter(([name]) => name.includes(values.rows));
const withEtcher = positionals.length === 0 && "etcher-sdk".includes(values.rows);
const matrix = new Map(runtimes.map(({ name }) => [name, [] as Result[]]));

const comparisons: Comparison[] = withEtcher ? await compareWithEtcher() : [];
if (withEtcher) console.log(`The loopback API and balena's code\n${comparisonTable(comparisons)}\n`);
const judged: Judged[] = withEtcher ? [...(await judgeDerivedImages()), ...(await judgeRandomFiles(1))] : [];
if (withEtcher) console.log(`Derived images and balena's code\n${judgedTable(judged)}\n`);
const different =
  comparisons.filter(({ isEqual }) => !isEqual).length +
  judged.filter(({ faults }) => faults.length > 0).length;
if (different > 0) process.exitCode = 1;
// A name that nothing bears is told by an empty table, and fails.
if (rows.length * runtimes.length > 0 || !withEtcher) await testRuntimes();

async function testRuntimes(): Promise<void> {
  ensureInstalled(requirements);
  const project = await mkdtemp(join(tmpdir(), "conformance-"));
  try {
    await installPackage(project);
    await installEntries(project);
    await inLanes(
      2,
      runtimes.map((runtime) => () => test(runtime, project)),
    );
  } finally {
    await rm(project, { recursive: true });
  }
  console.log(`\n${tableOf(matrix)}\n`);
  for (const note of notesOf(matrix)) console.log(note);
  const failed = countOf(matrix, "failed");
  console.log(
    `\n${countOf(matrix, "passed")} passed, ${failed} failed, ${countOf(matrix, "skipped")} skipped`,
  );
  if (failed > 0 || rows.length * runtimes.length === 0) process.exitCode = 1;
}

/** A runtime that does not even come up is a failure, and the others still run. */
async function test(runtime: SiteRuntime, project: string): Promise<void> {
  const startMs = performance.now();
  const own = rows.filter(([name]) => runtime.rows?.test(name) ?? true);
  const results = await testColumn(runtime, project, own).catch((error) =>
    own.map(([name]) => resultOf(name, "failed", String(error))),
  );
  matrix.set(runtime.name, results);
  console.log(`${runtime.name}: ${Math.round((performance.now() - startMs) / 1000)} s`);
}
