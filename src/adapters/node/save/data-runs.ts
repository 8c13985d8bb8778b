/** Finds the parts of a piece that must be written. Long runs of zeros are not written: they become holes of the file. */

/** Bytes of a piece, `end` exclusive. */
export interface Run {
  readonly start: number;
  end: number;
}

// The unit in which file systems allocate.
const blockBytes = 4096;
// Holes between two runs that are shorter would cost more in calls than they save in bytes.
const minGapBytes = 64 * 1024;

const zeros = Buffer.alloc(blockBytes);

/** The stretches that hold anything, in order. */
export function dataRuns(bytes: Uint8Array): Run[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const runs: Run[] = [];
  for (let start = 0; start < buffer.length; start += blockBytes) {
    const end = Math.min(start + blockBytes, buffer.length);
    if (isZero(buffer, start, end)) continue;
    const last = runs.at(-1);
    if (last && start - last.end < minGapBytes) last.end = end;
    else runs.push({ start, end });
  }
  return runs;
}

/** A look at the first byte spares most blocks the call. */
function isZero(buffer: Buffer, start: number, end: number): boolean {
  return buffer[start] === 0 && buffer.compare(zeros, 0, end - start, start, end) === 0;
}
