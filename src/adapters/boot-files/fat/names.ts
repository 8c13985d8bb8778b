/** File names of FAT: long names, and the short name that each long name has. */

/** Characters of a short name beyond letters and digits. */
const shortSymbols = "$%'-_@~`!(){}^#&";
const entryLetters = 13;

/** Whether a name is a short one as it stands, so that it needs no long one. */
export function isShortName(name: string): boolean {
  const [base = "", extension = "", ...more] = name.split(".");
  const isPart = (part: string) =>
    [...part].every((letter) => /[A-Z0-9]/.test(letter) || shortSymbols.includes(letter));
  const hasFittingParts = base.length >= 1 && base.length <= 8 && extension.length <= 3;
  return more.length === 0 && hasFittingParts && isPart(base) && isPart(extension) && !name.endsWith(".");
}

/** The 11 bytes of a short name for a name that no entry of its directory has yet. */
export function shortNameFor(name: string, isTaken: (short: string) => boolean): string {
  if (isShortName(name)) return paddedName(...splitName(name));
  const [base, extension] = splitName(name);
  const clean = (part: string) => [...part.toUpperCase()].map((letter) => shortLetter(letter)).join("");
  const [shortBase, shortExtension] = [clean(base), clean(extension).slice(0, 3)];
  for (let number = 1; ; number++) {
    const tail = `~${number}`;
    const short = paddedName(shortBase.slice(0, 8 - tail.length) + tail, shortExtension);
    if (!isTaken(short)) return short;
  }
}

/** Spaces and dots go, what a short name can't hold becomes `_`. */
function shortLetter(letter: string): string {
  if (letter === " " || letter === ".") return "";
  return /[A-Z0-9]/.test(letter) || shortSymbols.includes(letter) ? letter : "_";
}

function splitName(name: string): [base: string, extension: string] {
  const dot = name.lastIndexOf(".");
  return dot <= 0 ? [name, ""] : [name.slice(0, dot), name.slice(dot + 1)];
}

const paddedName = (base: string, extension: string) => base.padEnd(8) + extension.padEnd(3);

/** A short name as people write it. */
export function shownShortName(short: string): string {
  const [base, extension] = [short.slice(0, 8).trimEnd(), short.slice(8).trimEnd()];
  return extension === "" ? base : `${base}.${extension}`;
}

/** Ties the entries of a long name to its short one. */
export function shortNameSum(short: string): number {
  let sum = 0;
  for (let index = 0; index < 11; index++)
    sum = (((sum & 1) << 7) + (sum >> 1) + short.charCodeAt(index)) & 0xff;
  return sum;
}

/** Where the 13 letters of a long name's entry lie in it. */
const letterOffsets = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/** The entries of a long name, in the order of the disk: the last part first. */
export function longNameEntries(name: string, short: string): Uint8Array[] {
  const count = Math.ceil(name.length / entryLetters);
  return Array.from({ length: count }, (_, index) => {
    const order = count - index;
    const entry = new DataView(new ArrayBuffer(32));
    entry.setUint8(0, order | (index === 0 ? 0x40 : 0));
    entry.setUint8(11, 0x0f);
    entry.setUint8(13, shortNameSum(short));
    for (const [place, offset] of letterOffsets.entries())
      entry.setUint16(offset, letterAt(name, (order - 1) * entryLetters + place), true);
    return new Uint8Array(entry.buffer);
  });
}

/** A zero ends the name if the name does not fill its entry; the rest is all ones. */
function letterAt(name: string, index: number): number {
  if (index < name.length) return name.charCodeAt(index);
  return index === name.length ? 0 : 0xffff;
}

/** The letters in one entry of a long name. */
export function lettersOf(entry: DataView): string {
  const letters = letterOffsets.map((offset) => entry.getUint16(offset, true));
  const end = letters.indexOf(0);
  return String.fromCharCode(...(end === -1 ? letters : letters.slice(0, end)));
}
