/** Writes an image's bytes into a file, several pieces at once, each at its place, zeros as holes. */
import type { FileHandle } from "node:fs/promises";
import { detachIfWhole } from "../../../core/memory/free.ts";
import { writeFully } from "../../fs/write-fully.ts";
import { dataRuns } from "./data-runs.ts";
import { onDisk } from "./disk.ts";

/** How pieces are written. */
export interface WriteOptions {
  /** The target, for errors. */
  readonly path: string;
  /** Where the first one goes. */
  readonly start: number;
  /** Pieces being written at the most; so many are in memory. */
  readonly concurrency: number;
  /** Told, after each piece, how many bytes from the file's beginning on are all there. */
  onWritten(bytes: number, firstPieceBytes: number): Promise<void>;
}

/** What was written. */
export interface Written {
  /** Where the last piece ended. */
  readonly end: number;
  /** Zeros that were left out. */
  readonly holeBytes: number;
}

/** Settles when nothing is being written any more, whichever way it ends. */
export async function writePieces(
  pieces: AsyncIterable<Uint8Array>,
  file: FileHandle,
  { path, start, concurrency, onWritten }: WriteOptions,
): Promise<Written> {
  const done = createDoneMark(start);
  const inFlight = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let [end, holeBytes, firstPieceBytes] = [start, 0, 0];

  const write = async (bytes: Uint8Array, position: number) => {
    const { length } = bytes;
    const dataBytes = await writePiece(file, bytes, position);
    holeBytes += length - dataBytes;
    detachIfWhole(bytes); // a stream's pieces are its reader's alone, and this one has done with it
    await onWritten(done.add(position, position + length), firstPieceBytes);
  };

  try {
    for await (const bytes of pieces) {
      firstPieceBytes ||= bytes.length;
      const position = end;
      const writing = onDisk(path, () => write(bytes, position))
        .catch((failure) => void failures.push(failure))
        .finally(() => inFlight.delete(writing));
      inFlight.add(writing);
      end += bytes.length;
      if (inFlight.size >= concurrency) await Promise.race(inFlight);
      if (failures.length > 0) break;
    }
  } finally {
    await Promise.all(inFlight);
  }
  if (failures.length > 0) throw failures[0];
  return { end, holeBytes };
}

/** How many bytes were written; the rest are zeros. */
async function writePiece(file: FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  let total = 0;
  for (const { start, end } of dataRuns(bytes)) {
    total += end - start;
    await writeFully(file, bytes, [start, end], position + start);
  }
  return total;
}

/** Pieces get done in any order. This knows up to which byte all of them are done. */
function createDoneMark(start: number) {
  const ahead = new Map<number, number>();
  let mark = start;
  return {
    add(from: number, to: number): number {
      ahead.set(from, to);
      for (let next = ahead.get(mark); next !== undefined; next = ahead.get(mark)) {
        ahead.delete(mark);
        mark = next;
      }
      return mark;
    },
  };
}
