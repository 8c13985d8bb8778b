// Writes a gzip file of several members, in independent pieces, all cores at once (as pigz does).
import { promisify } from "node:util";
import { constants, crc32, deflateRaw } from "node:zlib";
import type { RawFile } from "./raw-file.ts";

const pieceBytes = 4 * 1024 * 1024;
const piecesAhead = 4;
const deflate = promisify<Uint8Array, { level: number; finishFlush: number }, Buffer>(deflateRaw);

/** Yields the bytes of a `.gz` file of about `members` members of equal raw size. */
export async function* gzipFile(file: RawFile, members: number): AsyncGenerator<Uint8Array> {
  const memberBytes = Math.ceil(file.bytes / members);
  for (let start = 0; start < file.bytes; start += memberBytes) {
    yield* gzipMember(file, start, Math.min(file.bytes, start + memberBytes));
  }
}

async function* gzipMember(file: RawFile, start: number, end: number): AsyncGenerator<Uint8Array> {
  yield Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3);
  const running: Promise<Buffer>[] = [];
  let crc = 0;
  for (let at = start; at < end; at += pieceBytes) {
    const piece = file.read(at, Math.min(end, at + pieceBytes));
    crc = crc32(piece, crc);
    running.push(deflate(piece, { level: 6, finishFlush: lastFlush(at + pieceBytes >= end) }));
    if (running.length === piecesAhead) yield await running.shift()!;
  }
  for (const piece of running) yield await piece;
  yield trailer(crc, end - start);
}

// A sync flush ends a piece at a byte boundary without closing the deflate stream, so pieces can be put in a row.
function lastFlush(isLast: boolean): number {
  return isLast ? constants.Z_FINISH : constants.Z_SYNC_FLUSH;
}

function trailer(crc: number, bytes: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setUint32(0, crc, true);
  view.setUint32(4, bytes % 2 ** 32, true);
  return new Uint8Array(view.buffer);
}
