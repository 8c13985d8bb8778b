// What one reader is going to do, drawn from its random generator.
import type { ByteRange, CacheMode } from "../../src/core/index.ts";
import type { SoakImage } from "./protocol.ts";
import type { Random } from "./random.ts";

/** One get, planned. */
export interface ReaderPlan {
  readonly image: SoakImage;
  readonly cache: CacheMode;
  readonly range: ByteRange | undefined;
  readonly startAfterMs: number;
  /** Pause before each read. */
  readonly pauseMs: number;
  /** One long pause. */
  readonly stall: { readonly atByte: number; readonly forMs: number } | undefined;
  readonly leave: Leave | undefined;
  /** Overwrites or transfers away each buffer that it was given. */
  readonly spoils: "nothing" | "overwrite" | "transfer";
}

/** How a reader leaves before the end: by its signal after a time, else at a byte. */
export type Leave =
  | { readonly how: "signal"; readonly afterMs: number }
  | { readonly how: "cancel"; readonly atByte: number };

/** Draws a plan; `bytesOf` gives an image's size. */
export function drawPlan(
  random: Random,
  images: readonly SoakImage[],
  bytesOf: (image: SoakImage) => number,
): ReaderPlan {
  const image = random.pick(images);
  const bytes = bytesOf(image);
  return {
    image,
    cache: random.weighted<CacheMode>([
      [62, "default"],
      [16, "reload"],
      [6, "no-cache"],
      [4, "no-store"],
      [6, "force-cache"],
      [6, "only-if-cached"],
    ]),
    range: random.chance(0.3) ? drawRange(random, bytes) : undefined,
    startAfterMs: random.chance(0.5) ? random.int(0, 4000) : 0,
    pauseMs: random.weighted([
      [2, 0],
      [3, random.int(1, 60)],
      [5, random.int(60, 300)],
    ]),
    stall: random.chance(0.15) ? { atByte: random.int(0, bytes), forMs: random.int(500, 8000) } : undefined,
    leave: random.chance(0.25) ? drawLeave(random, bytes) : undefined,
    spoils: random.pick(["nothing", "overwrite", "transfer"]),
  };
}

function drawRange(random: Random, bytes: number): ByteRange {
  const start = random.int(0, bytes - 1);
  const end = random.weighted<number | undefined>([
    [2, random.int(start + 1, bytes)],
    [1, start + 1],
    [1, bytes + random.int(0, 1000)],
    [1, undefined],
  ]);
  return { start, end };
}

function drawLeave(random: Random, bytes: number): Leave {
  if (random.chance(0.5)) return { how: "signal", afterMs: random.int(0, 5000) };
  return { how: "cancel", atByte: random.chance(0.2) ? 0 : random.int(0, bytes) };
}
