// Whether what was delivered is the image, or a part of it, or may be a beginning that nothing told from the whole.
import type { ImageStream, ImageVariant } from "../../src/core/index.ts";
import { assertThat, Finding } from "./finding.ts";
import { truthsOf } from "./images.ts";

/** What was asked for. */
export interface Wanted {
  readonly variant: ImageVariant;
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  /** A body of the round's upstream may end early with nothing that tells. */
  readonly mayEndEarly: boolean;
}

/** Reads a stream, up to a byte where one is given, and compares each piece as it comes. */
export async function readAndCompare(stream: ImageStream, wanted: Wanted, leaveAt?: number): Promise<void> {
  const candidates = candidatesFor(stream.deviceType, stream.version, wanted);
  let position = 0;
  for await (const piece of stream) {
    position = compare(candidates, piece, position);
    if (leaveAt !== undefined && position >= leaveAt) return;
  }
  if (candidates.some(({ length }) => length === position)) return;
  assertThat(
    wanted.mayEndEarly && stream.origin === "network",
    `the stream ends at byte ${position}, as if it were whole`,
  );
  assertThat(
    (await stream.committed()) === undefined,
    `what ended at byte ${position} was kept as the image`,
  );
}

/** The spans of bytes that would be right, narrowed down to those that fit what has come. */
export function candidatesFor(deviceType: string, version: string, wanted: Wanted): Uint8Array[] {
  const truths = truthsOf(deviceType, version, wanted.variant);
  if (truths.length === 0)
    throw new Finding(`${deviceType} ${version} was delivered, and there is no such image`);
  return truths.map((truth) => truth.subarray(wanted.start ?? 0, wanted.end ?? truth.length));
}

/** Keeps the candidates that the piece fits, and says where it ends. */
export function compare(candidates: Uint8Array[], piece: Uint8Array, position: number): number {
  const end = position + piece.length;
  const fitting = candidates.filter((truth) => Buffer.compare(piece, truth.subarray(position, end)) === 0);
  if (fitting.length === 0) throw new Finding(`wrong bytes: ${firstDifference(candidates, piece, position)}`);
  candidates.splice(0, candidates.length, ...fitting);
  return end;
}

function firstDifference(candidates: readonly Uint8Array[], piece: Uint8Array, position: number): string {
  const [truth = new Uint8Array(0)] = candidates;
  const at = piece.findIndex((byte, index) => byte !== truth[position + index]);
  if (position + at >= truth.length)
    return `${piece.length - at} more than the image has, from byte ${truth.length}`;
  return `the first at ${position + at}, in a piece of ${piece.length} from ${position}`;
}
