// Ways in which bytes go bad.
import type { Random } from "../../soak/random.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes that went bad, and how. */
export interface Damaged {
  readonly says: string;
  readonly bytes: Bytes;
}

/** Damages a copy of the bytes in one way. */
export function damaged(random: Random, bytes: Bytes): Damaged {
  const [says, result] = random.weighted(waysToDamage)(random, bytes);
  return { says, bytes: result };
}

type Way = (random: Random, bytes: Bytes) => readonly [says: string, bytes: Bytes];

const flipped: Way = (random, bytes) => {
  const copy = bytes.slice();
  const places = Array.from({ length: random.int(1, 3) }, () =>
    random.int(0, Math.max(0, 8 * copy.length - 1)),
  );
  for (const place of places) if (copy.length > 0) copy[place >> 3]! ^= 1 << (place & 7);
  return [`bits ${places.join(", ")} are flipped`, copy];
};

const cut: Way = (random, bytes) => {
  const length = random.chance(0.3) ? Math.max(0, bytes.length - 1) : random.int(0, bytes.length);
  return [`it is cut to ${length} of ${bytes.length} bytes`, bytes.slice(0, length)];
};

const extended: Way = (random, bytes) => {
  const more = junk(random, random.pick([1, 8, 1000]));
  return [`${more.length} bytes are added`, joined(bytes, more)];
};

const waysToDamage: readonly (readonly [number, Way])[] = [
  [4, flipped],
  [3, cut],
  [2, extended],
  [1, () => ["it is emptied", new Uint8Array(0)]],
  [1, (_, bytes) => ["it is all zeros", new Uint8Array(bytes.length)]],
  [1, (random) => ["it is 100 bytes of junk", junk(random, 100)]],
  [1, (random, bytes) => ["it is junk of the same length", junk(random, bytes.length)]],
];

/** Bytes at random. */
export function junk(random: Random, length: number): Bytes {
  let state = random.int(1, 2 ** 31 - 1);
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    return state >>> 16;
  });
}

/** Two runs of bytes as one. */
export function joined(...parts: readonly Uint8Array[]): Bytes {
  return new Uint8Array(Buffer.concat(parts));
}
