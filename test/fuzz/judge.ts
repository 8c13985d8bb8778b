// Whether what was delivered is the image, or a part of it; and what nobody can tell while it streams.
import type { ImageStream, ImageVariant } from "../../src/core/index.ts";
import { assertThat, Finding } from "./finding.ts";
import { truthsOf } from "./images.ts";

/** What the upstream of a round does that no reader can find out at once. */
export interface Tolerance {
  /** A body ends early with nothing that tells. What is delivered may be a beginning, and must not be kept. */
  readonly mayEndEarly: boolean;
  /** A packed file is damaged. Its checksum stands at its end: wrong bytes may be delivered by then, and must end in an error. */
  readonly mayShowDamage: boolean;
}

/** Of an upstream that does nothing of the kind. */
export const none: Tolerance = { mayEndEarly: false, mayShowDamage: false };

/** What was asked for. */
export interface Wanted {
  readonly variant: ImageVariant;
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  readonly tolerance: Tolerance;
}

/** Reads a stream, up to a byte where one is given, and compares each piece as it comes. */
export async function readAndCompare(stream: ImageStream, wanted: Wanted, leaveAt?: number): Promise<void> {
  const comparison = createComparison(stream.deviceType, stream.version, wanted, stream.origin === "network");
  for await (const piece of stream) {
    comparison.take(piece);
    if (leaveAt !== undefined && comparison.position() >= leaveAt) return;
  }
  if (comparison.end() === "early")
    assertThat((await stream.committed()) === undefined, "what ended early was kept as the image");
}

/** Compares pieces with the spans that would be right, and keeps those that fit what has come. */
export function createComparison(deviceType: string, version: string, wanted: Wanted, mayBeNew: boolean) {
  const { variant, start = 0, end, tolerance } = wanted;
  const truths = truthsOf(deviceType, version, variant);
  assertThat(truths.length > 0, `${deviceType} ${version} was delivered, and there is no such image`);
  let candidates = truths.map((truth) => truth.subarray(start, end ?? truth.length));
  let position = 0;
  let wrong: string | undefined;
  // A part may end before the checksum comes.
  const isPart = start > 0 || end !== undefined;

  return {
    position: () => position,
    take(piece: Uint8Array): void {
      const fitting = candidates.filter((truth) => fits(piece, truth, position));
      if (fitting.length === 0) wrong ??= `wrong bytes: ${firstDifference(candidates, piece, position)}`;
      else candidates = fitting;
      position += piece.length;
      if (wrong !== undefined && !(mayBeNew && tolerance.mayShowDamage)) throw new Finding(wrong);
    },
    /** The body is over, and says that it is whole. */
    end(): "whole" | "early" {
      if (isPart && mayBeNew && tolerance.mayShowDamage) return "whole";
      if (wrong !== undefined) throw new Finding(`${wrong}; and the body ends as if all were well`);
      if (candidates.some(({ length }) => length === position)) return "whole";
      const isTolerable = mayBeNew && tolerance.mayEndEarly;
      assertThat(isTolerable, `the body ends at byte ${position}, as if it were whole`);
      return "early";
    },
  };
}

function fits(piece: Uint8Array, truth: Uint8Array, position: number): boolean {
  return Buffer.compare(piece, truth.subarray(position, position + piece.length)) === 0;
}

function firstDifference(candidates: readonly Uint8Array[], piece: Uint8Array, position: number): string {
  const [truth = new Uint8Array(0)] = candidates;
  const at = piece.findIndex((byte, index) => byte !== truth[position + index]);
  if (position + at >= truth.length) return `more than the image's ${truth.length}`;
  return `the first at ${position + at}, in a piece of ${piece.length} from ${position}`;
}
