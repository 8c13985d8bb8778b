// What goes wrong in a run, and how often. Each fault is absent from about half of the seeds, so that it can't hide the others.
import type { Random } from "../soak/random.ts";
import { chunkBytes } from "./content.ts";

/** The kinds of a run. */
export interface Profile {
  /** How long everything may go wrong. */
  readonly faultyMs: number;
  readonly processes: number;
  readonly versions: number;
  readonly isInParts: boolean;
  /** How many, then. */
  readonly parts: number;
  /** The upstream has packed files: gzip, or parts in raw DEFLATE. */
  readonly isPacked: boolean;
  readonly validators: "strong" | "weak" | "date" | "none";
  readonly hasRanges: boolean;
  readonly store: {
    readonly latencyMs: number;
    /** It is the fs adapter on a disk that forgets, when its machine loses power, what was not flushed. */
    readonly isDisk: boolean;
    /** Each file is flushed before it gets its name. */
    readonly flushes: boolean;
    /** It has no `createIfAbsent`, so processes do not share downloads. */
    readonly lacksLeases: boolean;
    /** It makes no promise about its listings, and leaves keys out. */
    readonly listsPoorly: boolean;
    /** It deletes many values in one call. */
    readonly removesMany: boolean;
    /** Rejects without an effect. */
    readonly fails: number;
    /** Takes effect, and rejects. */
    readonly losesAnswer: number;
    /** Never answers; takes effect or does not. */
    readonly hangs: number;
    readonly isSlow: number;
    /** A listing shows some keys as they are at its beginning, the others as they are at its end. */
    readonly listsInPieces: boolean;
    /** Takes effect on the first bytes of a value alone, and rejects. */
    readonly tears: number;
    /** Damages a value as it is written: a chunk, of which one byte changes or the end is missing. */
    readonly damages: number;
  };
  readonly upstream: {
    readonly refuses: number;
    readonly breaks: number;
    readonly stalls: number;
    readonly changes: boolean;
    readonly withdraws: boolean;
    /** Answers a range with something else. */
    readonly answersWrongly: number;
  };
  readonly kills: boolean;
  /** All processes die at once, and the disk keeps what it likes of what was not flushed. */
  readonly losesPower: boolean;
  readonly pauses: boolean;
  readonly hasWrongClocks: boolean;
  /** remove, prune and cleanCache run beside gets. */
  readonly hasUpkeep: boolean;
  readonly maxBytes: number | undefined;
  readonly scenes: Scenes;
}

/** What happens at the end, at a chosen moment, while nothing else goes wrong. */
export interface Scenes {
  readonly kill: boolean;
  readonly pause: boolean;
  readonly again: boolean;
  readonly heal: boolean;
  readonly clean: boolean;
}

/** Chooses them. */
export function profileOf(random: Random): Profile {
  const maybe = (most: number) => (random.chance(0.5) ? random.next() * most : 0);
  const isLikely = () => random.chance(0.5);
  return {
    faultyMs: random.int(4_000, 12_000),
    processes: random.weighted([
      [4, 2],
      [3, 3],
      [1, 4],
      [1, 5],
    ] as const),
    versions: random.int(1, 3),
    isInParts: random.chance(0.4),
    parts: random.int(1, 3),
    isPacked: random.chance(0.5),
    validators: random.weighted([
      [5, "strong"],
      [1, "weak"],
      [1, "date"],
      [1, "none"],
    ] as const),
    hasRanges: random.chance(0.8),
    store: {
      latencyMs: random.pick([1, 5, 40]),
      isDisk: random.chance(0.25),
      flushes: isLikely(),
      lacksLeases: random.chance(0.1),
      listsPoorly: random.chance(0.1),
      removesMany: isLikely(),
      fails: maybe(0.08),
      losesAnswer: maybe(0.08),
      hangs: maybe(0.02),
      isSlow: maybe(0.05),
      listsInPieces: isLikely(),
      tears: maybe(0.04),
      damages: maybe(0.05),
    },
    upstream: {
      refuses: maybe(0.2),
      breaks: maybe(0.15),
      stalls: maybe(0.05),
      changes: isLikely(),
      withdraws: random.chance(0.3),
      answersWrongly: maybe(0.2),
    },
    kills: isLikely(),
    losesPower: random.chance(0.4),
    pauses: isLikely(),
    hasWrongClocks: random.chance(0.3),
    hasUpkeep: isLikely(),
    maxBytes: random.chance(0.2) ? 12 * chunkBytes : undefined,
    scenes: {
      kill: random.chance(0.2),
      pause: random.chance(0.2),
      again: random.chance(0.2),
      heal: random.chance(0.2),
      clean: random.chance(0.2),
    },
  };
}

/** The same world once nothing goes wrong any more. */
export function quiet(profile: Profile): Profile {
  return {
    ...profile,
    store: {
      ...profile.store,
      fails: 0,
      losesAnswer: 0,
      hangs: 0,
      isSlow: 0,
      listsInPieces: false,
      listsPoorly: false,
      tears: 0,
      damages: 0,
    },
    upstream: {
      refuses: 0,
      breaks: 0,
      stalls: 0,
      changes: false,
      withdraws: false,
      answersWrongly: 0,
    },
  };
}
