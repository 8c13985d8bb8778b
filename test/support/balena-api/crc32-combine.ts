// The CRC-32 of two texts in a row from those of each: what a `.gz` needs that is glued of parts.

const polynomial = 0xedb88320;

/** CRC-32 of A and B in a row, where `bytes` is B's length. */
export function combineCrc32(a: number, b: number, bytes: number): number {
  return (multiply(powerOfX(8 * bytes), a) ^ b) >>> 0;
}

/** x^exponent modulo the polynomial; bits stand in reverse, so that 1 is the highest one. */
function powerOfX(exponent: number): number {
  let power = 0x8000_0000;
  let square = 0x4000_0000;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = multiply(square, power);
    square = multiply(square, square);
  }
  return power;
}

function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = 31; bit >= 0; bit--) {
    if ((a >>> bit) & 1) product ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ polynomial : shifted >>> 1;
  }
  return product >>> 0;
}
