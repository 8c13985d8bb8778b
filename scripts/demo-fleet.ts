// The fleet demo: many images of one release, each configured for another device, from one download. It needs no network.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startBalenaApi } from "../test/support/balena-api/index.ts";
import { fleetReportLines, isGood } from "./fleet/report.ts";
import { runFleet } from "./fleet/run.ts";

const usage = `usage: npm run demo:fleet -- [--images COUNT] [--size MiB]

  --images  how many configured images to get, default 1000
  --size    size of the image, default 64`;

const { values } = parseArgs({
  options: { images: { type: "string", default: "1000" }, size: { type: "string", default: "64" } },
});
const [count, mebibytes] = [Number(values.images), Number(values.size)];
if (![count, mebibytes].every((value) => Number.isSafeInteger(value) && value > 0)) {
  process.stderr.write(`${usage}\n`);
  process.exit(1);
}

const base = await mkdtemp(join(tmpdir(), "fleet-demo-"));
try {
  await using api = await startBalenaApi({ imageBytes: mebibytes * 2 ** 20 });
  process.stdout.write(`Gets ${count} configured images of ${mebibytes} MiB, each with keys of its own\n`);
  const report = await runFleet({ api, base, count, onImage: progress });
  process.stdout.write(`${fleetReportLines(report).join("\n")}\n`);
  if (!isGood(report)) process.exitCode = 1;
} finally {
  await rm(base, { recursive: true, force: true });
}

function progress(done: number): void {
  if (process.stdout.isTTY) process.stdout.write(`\r${done} of ${count}${done === count ? "\n" : ""}`);
}
