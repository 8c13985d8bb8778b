// A raw image, by position: generated, or another one with some of its bytes replaced.
import { Disk, type ReadResult, type WriteResult } from "file-disk";
import { overlay } from "./disk-content.ts";

/** The raw file to pack, by position. */
export interface RawFile {
  readonly bytes: number;
  read(start: number, end: number): Uint8Array<ArrayBuffer>;
}

const pieceBytes = 1024 * 1024;

/** The bytes `start` to `end` in pieces. */
export function* piecesOf(raw: RawFile, start = 0, end = raw.bytes): Generator<Uint8Array> {
  for (let at = start; at < end; at += pieceBytes) yield raw.read(at, Math.min(end, at + pieceBytes));
}

/** The file with `patch` in place of its bytes from `patchStart` on. */
export function patched(raw: RawFile, patch: Uint8Array, patchStart: number): RawFile {
  return {
    bytes: raw.bytes,
    read(start, end) {
      const out = raw.read(start, end);
      overlay(out, start, patch, patchStart);
      return out;
    },
  };
}

/** The file as balena's own modules read one. */
export class RawDisk extends Disk {
  readonly #raw: RawFile;

  constructor(raw: RawFile) {
    super(true);
    this.#raw = raw;
  }

  protected async _getCapacity(): Promise<number> {
    return this.#raw.bytes;
  }

  protected async _read(buffer: Buffer, at: number, length: number, position: number): Promise<ReadResult> {
    const content = this.#raw.read(position, Math.min(this.#raw.bytes, position + length));
    buffer.set(content, at);
    return { bytesRead: content.length, buffer };
  }

  protected async _write(): Promise<WriteResult> {
    throw new Error("A generated image is not written to");
  }

  protected async _flush(): Promise<void> {}
}
