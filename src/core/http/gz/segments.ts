/** What each chunk of an image is in a gzip file that is put together from them: DEFLATE that ends at a whole byte and leaves the stream open. */
import { deflatedZeros } from "./zeros.ts";

/** The member's head, RFC 1952, section 2.3: no name, no time, no system. */
export const head = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);

/** The empty last block, and 8 bytes of trailer. */
export const tailBytes = 2 + 8;

/** The end of the member. */
export function tailOf(crc32: number, size: number): Uint8Array<ArrayBuffer> {
  const tail = new DataView(new ArrayBuffer(tailBytes));
  tail.setUint16(0, 0x0300);
  tail.setUint32(2, crc32, true);
  tail.setUint32(6, size % 2 ** 32, true);
  return new Uint8Array(tail.buffer);
}

/** How a chunk lies. */
export type Lie = "hole" | "as it is" | "member";

/** Bytes that a chunk takes in the file. */
export function segmentBytes(lie: Lie, length: number, storedBytes: number): number {
  if (lie === "hole") return zerosOf(length).length;
  return lie === "member"
    ? storedBytes - head.length - tailBytes
    : length + blockHeadBytes * blocksOf(length);
}

/** The bytes themselves, in a buffer that nobody else uses. `value` is what the store has. */
export function segmentOf(lie: Lie, length: number, value: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (lie === "hole") return zerosOf(length).slice();
  return lie === "member" ? value.subarray(head.length, value.length - tailBytes) : storedBlocks(value);
}

const ofZeros = new Map<number, Uint8Array<ArrayBuffer>>();

/** Images have two lengths of chunks each, of which most are common. */
function zerosOf(length: number): Uint8Array<ArrayBuffer> {
  const known = ofZeros.get(length) ?? deflatedZeros(length);
  if (ofZeros.size < 64) ofZeros.set(length, known);
  return known;
}

const blockBytes = 0xffff;
const blockHeadBytes = 5;
const blocksOf = (length: number) => Math.ceil(length / blockBytes);

/** DEFLATE of bytes that do not shrink: RFC 1951, section 3.2.4. */
function storedBlocks(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const blocks = new Uint8Array(bytes.length + blockHeadBytes * blocksOf(bytes.length));
  const view = new DataView(blocks.buffer);
  for (let at = 0, from = 0; from < bytes.length; from += blockBytes) {
    const block = bytes.subarray(from, from + blockBytes);
    view.setUint16(at + 1, block.length, true);
    view.setUint16(at + 3, ~block.length & 0xffff, true);
    blocks.set(block, at + blockHeadBytes);
    at += blockHeadBytes + block.length;
  }
  return blocks;
}
