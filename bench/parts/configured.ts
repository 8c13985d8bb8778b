// Images that are configured here: what a get of one costs once the plain image is cached.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { createImageManager } from "../../src/core/index.ts";
import { startBalenaApi } from "../../test/support/balena-api/index.ts";
import { type Bench, mediansOf, type Upstream } from "../bench.ts";
import { image } from "../image.ts";
import type { Cost } from "../measure.ts";
import { atMost, type Goal, type Part, rounded } from "../report/part.ts";
import { openSide } from "../sides.ts";
import { configuredOptions } from "../subjects/configured.ts";
import type { ConfiguredKind } from "../subjects/subject.ts";

const kinds = ["plain", "development", "fleet"] as const;
const titles = {
  plain: "plain",
  development: "development",
  fleet: "fleet, Wi-Fi and a file",
} as const;
/** Gets of each kind in a round. */
const getsInRound = 5;

/** Times against those of a plain cached get, and what is counted at the upstream. */
export async function configured(bench: Bench, upstream: Upstream): Promise<Part> {
  const costs = await timed(bench, upstream);
  const ms = (kind: ConfiguredKind) => mediansOf(costs[kind]).ms;
  const ratio = (kind: ConfiguredKind) => ms(kind) / ms("plain");
  return {
    title: "Configured images after their plain one, fs",
    table: kinds.map((kind) => ({
      image: titles[kind],
      ms: Math.round(ms(kind)),
      "CPU ms": Math.round(mediansOf(costs[kind]).cpuMs),
      "against the plain one": `${rounded(ratio(kind))}x`,
    })),
    goals: [
      ...(await counted()),
      atMost("development image, time against a plain cached get", 1.1, ratio("development"), "x"),
      atMost("fleet image with Wi-Fi and a file, time against a plain cached get", 1.1, ratio("fleet"), "x"),
    ],
  };
}

/** The kinds take turns, and each round begins with another one. */
async function timed({ rounds }: Bench, { facts }: Upstream): Promise<Record<ConfiguredKind, Cost[]>> {
  await using side = await openSide("ours, fs, configured", { upstream: facts });
  await side.first({ fileType: ".gz" });
  const costs: Record<ConfiguredKind, Cost[]> = { plain: [], development: [], fleet: [] };
  for (let turn = 0; turn < (rounds + 1) * getsInRound; turn++) {
    for (const index of kinds.keys()) {
      const kind = kinds[(index + turn) % kinds.length]!;
      const cost = await side.configured(kind);
      if (turn >= getsInRound) costs[kind].push(cost);
    }
  }
  return costs;
}

/** One get of each kind, over an image as small as may be. What a source asks is metadata; what the manager downloads is image. */
async function counted(): Promise<Goal[]> {
  await using api = await startBalenaApi({ imageBytes: 16 * 2 ** 20 });
  const base = await mkdtemp(join(tmpdir(), "bench-"));
  const [metadata, images] = [countingFetch(), countingFetch()];
  try {
    await using manager = createImageManager({
      source: balenaApiSource({ apiUrl: api.url, token: api.token, fetch: metadata.fetch }),
      storage: fsAdapter({ base }),
      fetch: images.fetch,
    });
    const goals: Goal[] = [];
    for (const kind of kinds) {
      metadata.bytes = images.bytes = 0;
      for await (const _ of await manager.get(image.deviceType, image.version, configuredOptions[kind]));
      if (kind === "plain") continue;
      goals.push(
        atMost(`${titles[kind]} after plain: bytes of image`, 0, images.bytes),
        atMost(`${titles[kind]} after plain: bytes of metadata`, 20, metadata.bytes / 1000, " kB"),
      );
    }
    return goals;
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

/** A `fetch` that counts the bytes of the bodies that come. */
function countingFetch() {
  const counting = {
    bytes: 0,
    fetch: (async (input, init) => {
      const response = await fetch(input, init);
      const bytes = await response.bytes();
      counting.bytes += bytes.length;
      return new Response(bytes, response);
    }) as typeof fetch,
  };
  return counting;
}
