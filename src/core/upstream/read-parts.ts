/** Reads spans of an image in parts. Spans that follow each other cost no more than one download of the parts that they lie in. */
import type { ImageParts } from "../types.ts";
import { inflatePart } from "./inflate-part.ts";
import type { DownloadJob } from "./job.ts";
import { partAt, partsValidators } from "./part-list.ts";
import { openPartRange, readPartRange } from "./part-range.ts";
import { PartSupply } from "./part-supply.ts";
import { createRetries, withRetries } from "./retry.ts";

/** Reads bytes of the image that somebody else verifies: of a part that is not read to its end, the checksum is not compared. */
export interface PartsReader {
  /** The bytes from `fromByte` to `toByte` (exclusive); a piece is good until the next is asked for. One such reading at a time. */
  read(fromByte: number, toByte: number): AsyncGenerator<Uint8Array>;
  close(): Promise<void>;
}

/** A part that is being read. `rest` begins at byte `position` of the image. */
interface Current {
  readonly index: number;
  readonly pieces: AsyncGenerator<Uint8Array>;
  position: number;
  rest: Uint8Array;
}

/** Nothing is asked yet. */
export async function createPartsReader(job: DownloadJob, answer: ImageParts): Promise<PartsReader> {
  const supply = new PartSupply(job, answer, await partsValidators(answer.parts));
  let current: Current | undefined;

  const close = async () => {
    const left = current;
    current = undefined;
    await left?.pieces.return(undefined);
  };

  const seek = async (byte: number, toByte: number): Promise<Current> => {
    const { index, start } = partAt(supply.parts, byte);
    if (current?.index === index && current.position <= byte) return current;
    await close();
    const { pieces, fromByte } = await openFrom(job, supply, index, byte - start, toByte - start);
    current = { index, pieces, position: start + fromByte, rest: new Uint8Array(0) };
    return current;
  };

  return {
    async *read(fromByte, toByte) {
      for (let at = fromByte; at < toByte; ) {
        const part = await seek(at, toByte);
        // A range may end before the part does: then another one is asked for.
        if (part.rest.length === 0 && !(await readOn(part))) await close();
        take(part, at - part.position);
        const piece = take(part, toByte - at);
        if (piece.length === 0) continue;
        at += piece.length;
        yield piece;
      }
    },
    close,
  };
}

/** Bytes of one part, from `fromByte` of it on or from further ahead: DEFLATE can't be entered in the middle. */
async function openFrom(
  job: DownloadJob,
  supply: PartSupply,
  index: number,
  fromByte: number,
  toByte: number,
): Promise<{ pieces: AsyncGenerator<Uint8Array>; fromByte: number }> {
  const part = supply.parts[index]!;
  const isPlain = part.encoding === "identity";
  const range = isPlain
    ? { index, fromByte, toByte: Math.min(toByte, part.bytes) }
    : { index, fromByte: 0, toByte: part.wireBytes };
  const file = await withRetries(createRetries(job.retry), job.signal, () =>
    isPlain ? openPartRange(supply, range, undefined, job.signal) : supply.open(index, {}, job.signal),
  );
  const wire = readPartRange(job, supply, range, file);
  if (!isPlain) return { pieces: inflatePart(part, wire, job.inflater), fromByte: 0 };
  return { pieces: wire, fromByte: file.response.fromByte ?? 0 };
}

async function readOn(part: Current): Promise<boolean> {
  const { done, value } = await part.pieces.next();
  if (!done) part.rest = value;
  return !done;
}

/** The next bytes of what is there, at most so many. */
function take(part: Current, bytes: number): Uint8Array {
  const piece = part.rest.subarray(0, bytes);
  part.rest = part.rest.subarray(piece.length);
  part.position += piece.length;
  return piece;
}
