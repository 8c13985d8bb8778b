// Runs under Node, Bun or Deno: first and repeated gets over an fs store, timed, as a JSON line.
import process from "node:process";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { nodeHash, nodeInflate } from "../../src/adapters/node/index.ts";
import { createImageManager, type GetOptions } from "../../src/core/index.ts";
import { image } from "../image.ts";

/** Milliseconds of each round. */
export interface RuntimeCosts {
  readonly fileType: ".img" | ".gz";
  readonly first: readonly number[];
  readonly repeated: readonly number[];
}

const { url, base, rounds } = JSON.parse(process.argv[2]!) as { url: string; base: string; rounds: number };
const isNode = !("Bun" in globalThis || "Deno" in globalThis);

await using manager = createImageManager({
  source: balenaApiSource({ apiUrl: url }),
  storage: fsAdapter({ base }),
  freshness: { maxAgeMs: Number.POSITIVE_INFINITY },
  ...(isNode && { inflate: nodeInflate, hash: nodeHash }),
});
const results = [await costsOf(".gz", {}), await costsOf(".img", { fileType: ".img" })];
console.log(JSON.stringify(results));

async function costsOf(fileType: ".img" | ".gz", options: GetOptions): Promise<RuntimeCosts> {
  const [first, repeated]: [number[], number[]] = [[], []];
  for (let round = 0; round <= rounds; round++) {
    await manager.cleanCache();
    for (const times of [first, repeated]) {
      const ms = await timed(options);
      if (round > 0) times.push(ms);
    }
  }
  return { fileType, first, repeated };
}

async function timed(options: GetOptions): Promise<number> {
  const startMs = performance.now();
  const stream = await manager.get(image.deviceType, image.version, options);
  for await (const _ of stream);
  await stream.committed();
  return performance.now() - startMs;
}
