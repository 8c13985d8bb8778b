// The demo: gets an image through the cache, from a loopback balena API or (--live) from balenaCloud, and says what that took.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fsAdapter } from "../src/adapters/fs/index.ts";
import { nodeHash, nodeInflate } from "../src/adapters/node/index.ts";
import { createImageManager } from "../src/core/index.ts";
import { describeFailure } from "./demo/failure.ts";
import { liveUpstream } from "./demo/live.ts";
import { loopbackUpstream } from "./demo/loopback.ts";
import { type Measurement, measure } from "./demo/measure.ts";
import { type DemoOptions, parseDemoOptions } from "./demo/options.ts";
import { printLine, renderTable } from "./demo/output.ts";
import type { Upstream } from "./demo/upstream.ts";

const interrupt = new AbortController();
process.once("SIGINT", () => interrupt.abort(new DOMException("Interrupted", "AbortError")));

try {
  const options = parseDemoOptions(process.argv.slice(2));
  const temporary = options.store === undefined ? await mkdtemp(join(tmpdir(), "image-demo-")) : undefined;
  try {
    await using upstream = options.live
      ? await liveUpstream(options.live)
      : await loopbackUpstream(options.bytes);
    process.stdout.write(`${renderTable(await run(upstream, temporary ?? options.store!, options))}\n`);
    if (temporary !== undefined) process.stdout.write("The cache was a temporary one: --store keeps it\n");
  } finally {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
  }
} catch (failure) {
  process.stderr.write(`${describeFailure(failure)}\n`);
  process.exitCode = 1;
}

async function run(upstream: Upstream, base: string, { out }: DemoOptions): Promise<Measurement[]> {
  await using images = createImageManager({
    source: upstream.source,
    storage: fsAdapter({ base }),
    fetch: upstream.fetch,
    inflate: nodeInflate,
    hash: nodeHash,
  });
  const measurements: Measurement[] = [];
  for (const step of upstream.steps) {
    const measurement = await measure(images, upstream, step, { base, out, signal: interrupt.signal });
    measurements.push(measurement);
    printLine(measurement);
  }
  if (measurements.some(({ isExpected }) => isExpected === false))
    throw new Error("What came out is not what the API serves");
  return measurements;
}
