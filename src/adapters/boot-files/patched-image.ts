/** An image with changes on top. Reads return the changed bytes, and only sectors that really differ become spans. */
import { EditError } from "../../core/errors.ts";
import type { EditableImage, ImageSpan } from "../../core/types.ts";

const sectorBytes = 512;
/** Bytes that are read at once: file tables and directories are looked at in small steps. */
const blockBytes = 64 * 1024;

interface Sector {
  readonly original: Uint8Array;
  readonly bytes: Uint8Array;
}

export class PatchedImage {
  readonly size: number;
  readonly #image: EditableImage;
  readonly #blocks = new Map<number, Promise<Uint8Array>>();
  readonly #sectors = new Map<number, Sector>();

  constructor(image: EditableImage) {
    this.#image = image;
    this.size = image.size;
  }

  /** Bytes with the changes so far, in a buffer of the caller's own. */
  async read(start: number, end: number): Promise<Uint8Array> {
    this.#assertInside(start, end);
    const bytes = new Uint8Array(end - start);
    for (let block = Math.floor(start / blockBytes); block * blockBytes < end; block++)
      overlay(bytes, start, await this.#block(block), block * blockBytes);
    for (let at = Math.floor(start / sectorBytes); at * sectorBytes < end; at++) {
      const sector = this.#sectors.get(at);
      if (sector) overlay(bytes, start, sector.bytes, at * sectorBytes);
    }
    return bytes;
  }

  async write(start: number, bytes: Uint8Array): Promise<void> {
    this.#assertInside(start, start + bytes.length);
    for (let at = Math.floor(start / sectorBytes); at * sectorBytes < start + bytes.length; at++)
      overlay((await this.#sector(at)).bytes, at * sectorBytes, bytes, start);
  }

  /** What differs from the image, in ascending order; neighbours are one span. */
  spans(): ImageSpan[] {
    const changed = [...this.#sectors]
      .filter(([, { original, bytes }]) => bytes.some((byte, index) => byte !== original[index]))
      .sort(([a], [b]) => a - b);
    const runs: { start: number; parts: Uint8Array[] }[] = [];
    let next = -1;
    for (const [at, { bytes }] of changed) {
      if (at === next) runs.at(-1)?.parts.push(bytes);
      else runs.push({ start: at * sectorBytes, parts: [bytes] });
      next = at + 1;
    }
    return runs.map(({ start, parts }) => ({ start, bytes: joined(parts) }));
  }

  async #sector(at: number): Promise<Sector> {
    const known = this.#sectors.get(at);
    if (known) return known;
    const original = await this.read(at * sectorBytes, Math.min((at + 1) * sectorBytes, this.size));
    const sector = { original, bytes: original.slice() };
    this.#sectors.set(at, sector);
    return sector;
  }

  #block(index: number): Promise<Uint8Array> {
    const start = index * blockBytes;
    const block = this.#blocks.get(index) ?? this.#image.read(start, Math.min(start + blockBytes, this.size));
    this.#blocks.set(index, block);
    return block;
  }

  #assertInside(start: number, end: number): void {
    if (Number.isSafeInteger(start) && start >= 0 && end <= this.size) return;
    throw new EditError(
      "damaged",
      `Byte ${start} to ${end} is outside the image, which has ${this.size} bytes`,
    );
  }
}

/** Copies the part of `piece` (at `pieceStart` of the image) that falls into `out` (at `outStart`). */
function overlay(out: Uint8Array, outStart: number, piece: Uint8Array, pieceStart: number): void {
  const from = Math.max(outStart, pieceStart);
  const to = Math.min(outStart + out.length, pieceStart + piece.length);
  if (from < to) out.set(piece.subarray(from - pieceStart, to - pieceStart), from - outStart);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
