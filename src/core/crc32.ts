/** CRC-32 as gzip and balena's parts have it (RFC 1952, section 8), for the web platform, which has none. */

/** Four tables, one for each byte of a word: four bytes a step are twice as fast as one. */
const tables = makeTables();

/** The checksum of bytes, or of bytes that follow others with the checksum `before`. */
export function crc32(bytes: Uint8Array, before = 0): number {
  const [t0, t1, t2, t3] = tables;
  let crc = ~before;
  let at = 0;
  for (const end = bytes.length - 3; at < end; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = t3[crc & 0xff]! ^ t2[(crc >>> 8) & 0xff]! ^ t1[(crc >>> 16) & 0xff]! ^ t0[crc >>> 24]!;
  }
  for (; at < bytes.length; at++) crc = t0[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

type Tables = readonly [Int32Array, Int32Array, Int32Array, Int32Array];

function makeTables(): Tables {
  const made: Tables = [new Int32Array(256), new Int32Array(256), new Int32Array(256), new Int32Array(256)];
  const [first] = made;
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    first[byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let place = 1; place < 4; place++) {
      const previous = made[place - 1]![byte]!;
      made[place]![byte] = (previous >>> 8) ^ first[previous & 0xff]!;
    }
  }
  return made;
}

const polynomial = 0xedb88320;

/** The checksum of two runs of bytes in a row, from that of each; `bytes` is the length of the second one. */
export function combineCrc32(first: number, second: number, bytes: number): number {
  return (times(powerOfX(8 * bytes), first) ^ second) >>> 0;
}

/** x to that power, modulo the polynomial; bits are in reverse, so the highest one stands for 1. */
function powerOfX(exponent: number): number {
  let power = 0x80000000;
  let square = 0x40000000;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = times(square, power);
    square = times(square, square);
  }
  return power;
}

function times(one: number, other: number): number {
  let product = 0;
  let shifted = other;
  for (let bit = 31; bit >= 0; bit--) {
    if ((one >>> bit) & 1) product ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ polynomial : shifted >>> 1;
  }
  return product >>> 0;
}
