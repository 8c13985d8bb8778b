// Wraps the deflate stream of a one-member gzip file as a zip archive with a single entry.

/** The parts around the deflate stream, and where that lies in the gzip file. */
export interface ZipParts {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** The deflate stream within the gzip file, end exclusive. */
  readonly start: number;
  readonly end: number;
}

const gzipHeaderBytes = 10;
const gzipTrailerBytes = 8;

/** Parts of a zip archive; `trailer` is the gzip file's last 8 bytes (CRC-32 and raw size, as zip wants them too). */
export function zipParts(name: string, gzipBytes: number, trailer: Uint8Array): ZipParts {
  const packedBytes = gzipBytes - gzipHeaderBytes - gzipTrailerBytes;
  const [nameBytes, facts] = [Buffer.from(name), entryFacts(packedBytes, trailer, name.length)];
  const head = Buffer.concat([Buffer.from("504b03041400", "hex"), facts, nameBytes]);
  const entry = Buffer.concat([Buffer.from("504b010214001400", "hex"), facts, Buffer.alloc(14), nameBytes]);
  const tail = Buffer.concat([entry, endRecord(entry.length, head.length + packedBytes)]);
  return { head, tail, start: gzipHeaderBytes, end: gzipBytes - gzipTrailerBytes };
}

// What local header and directory entry share: flags, deflate, a fixed date, CRC, sizes, lengths of name and extra field.
function entryFacts(packedBytes: number, trailer: Uint8Array, nameLength: number): Buffer {
  const facts = Buffer.alloc(24);
  facts.writeUInt16LE(8, 2);
  facts.writeUInt16LE(0x21, 6); // 1980-01-01
  facts.set(trailer.subarray(0, 4), 8);
  facts.writeUInt32LE(packedBytes, 12);
  facts.set(trailer.subarray(4), 16);
  facts.writeUInt16LE(nameLength, 20);
  return facts;
}

function endRecord(directoryBytes: number, directoryStart: number): Buffer {
  const record = Buffer.alloc(22);
  record.write("504b0506", "hex");
  record.writeUInt16LE(1, 8);
  record.writeUInt16LE(1, 10);
  record.writeUInt32LE(directoryBytes, 12);
  record.writeUInt32LE(directoryStart, 16);
  return record;
}
