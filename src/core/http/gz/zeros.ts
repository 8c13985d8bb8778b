/**
 * A run of zeros as DEFLATE (RFC 1951). It is made by hand, and not by a compressor, so that the bytes never change: ETags and ranges depend on
 * them.
 */

/** One block of two codes, and a sync flush: the bytes end at a whole byte and leave the stream open. `length` is at least 1. */
export function deflatedZeros(length: number): Uint8Array<ArrayBuffer> {
  const copies = Math.floor((length - 1) / longestCopy);
  const singles = length - copies * longestCopy;
  const bits = createBitWriter(Math.ceil((headBits + 2 * singles + 2 * copies + 8) / 8) + 8);
  writeHead(bits);
  for (let count = 0; count < singles; count++) bits.put(zero, 2);
  bits.skip(2 * copies); // the copy and its distance are one bit each, and both bits are 0
  bits.put(endOfBlock, 2);
  bits.put(0b000, 3); // a stored block that is not the last one
  bits.toWholeByte();
  for (const byte of [0, 0, 0xff, 0xff]) bits.put(byte, 8);
  return bits.written();
}

const longestCopy = 258;
const headBits = 256;

// Huffman codes go into the stream with their first bit first.
const [zero, endOfBlock] = [0b01, 0b11];
const [lengthOne, lengthTwo, manyZeros] = [0b01, 0b11, 0b0];

/**
 * The block's head: a zero and the end of the block have codes of two bits, a copy of 258 bytes (285) and the distance 1 of one bit, and
 * all other symbols have none.
 */
function writeHead({ put }: BitWriter): void {
  put(0, 1); // not the last block
  put(2, 2); // with codes of its own
  put(286 - 257, 5);
  put(1 - 1, 5);
  put(codeLengthOrder.length - 4, 4);
  for (const symbol of codeLengthOrder) put({ 18: 1, 1: 2, 2: 2 }[symbol] ?? 0, 3);
  const none = (count: number) => {
    put(manyZeros, 1);
    put(count - 11, 7);
  };
  put(lengthTwo, 2); // a zero
  none(138);
  none(117);
  put(lengthTwo, 2); // the end of the block
  none(28);
  put(lengthOne, 2); // a copy of 258 bytes
  put(lengthOne, 2); // the distance 1
}

/** RFC 1951, section 3.2.7, as far as it is needed. */
const codeLengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1];

interface BitWriter {
  /** The lowest bit first. */
  put(value: number, count: number): void;
  /** Bits that are 0. */
  skip(count: number): void;
  toWholeByte(): void;
  written(): Uint8Array<ArrayBuffer>;
}

function createBitWriter(maxBytes: number): BitWriter {
  const bytes = new Uint8Array(maxBytes);
  let at = 0;
  return {
    put(value, count) {
      for (let bit = 0; bit < count; bit++, at++)
        bytes[at >> 3] = bytes[at >> 3]! | (((value >> bit) & 1) << (at & 7));
    },
    skip(count) {
      at += count;
    },
    toWholeByte() {
      at = Math.ceil(at / 8) * 8;
    },
    written: () => bytes.slice(0, at / 8),
  };
}
