// A directory of a FAT file system, as bytes: for each file its long name, then the short entry.

/** Bytes of an entry. */
export const entryBytes = 32;

/** Attributes of an entry. */
export const attributes = { label: 0x08, directory: 0x10, file: 0x20, longName: 0x0f };

/** A directory that is being filled. */
export interface Directory {
  /** `undefined`: the root. */
  readonly cluster: number | undefined;
  readonly bytes: Uint8Array;
  add(name: string, attribute: number, cluster: number, bytes: number): void;
}

const madeAt = { date: ((2026 - 1980) << 9) | (1 << 5) | 1, time: 0 };

/** An empty one; `cluster` is `undefined` for the root, all others begin with `.` and `..`. */
export function createDirectory(cluster: number | undefined, capacity: number): Directory {
  const bytes = new Uint8Array(capacity * entryBytes);
  let at = 0;
  let names = 0;
  const append = (entry: Uint8Array) => {
    bytes.set(entry, at);
    at += entryBytes;
  };
  if (cluster !== undefined) {
    append(shortEntry(".".padEnd(11), attributes.directory, cluster, 0));
    append(shortEntry("..".padEnd(11), attributes.directory, 0, 0));
  }
  return {
    cluster,
    bytes,
    add(name, attribute, first, size) {
      const isLabel = attribute === attributes.label;
      const short = isLabel ? name.toUpperCase().padEnd(11) : shortName(name, ++names);
      if (!isLabel) for (const entry of longEntries(name, short)) append(entry);
      append(shortEntry(short, attribute, first, size));
    },
  };
}

/** `device-type.json` as `DEVICE~2JSO`; the number keeps a directory's names apart. */
function shortName(name: string, number: number): string {
  const [, stem, extension] = /^(.*?)(?:\.([^.]*))?$/.exec(name.toUpperCase().replace(/[^A-Z0-9.]/g, "_"))!;
  const tail = `~${number}`;
  return (
    stem!
      .slice(0, 8 - tail.length)
      .concat(tail)
      .padEnd(8) + (extension ?? "").slice(0, 3).padEnd(3)
  );
}

function shortEntry(name: string, attribute: number, cluster: number, bytes: number): Uint8Array {
  const entry = Buffer.alloc(entryBytes);
  entry.write(name, 0, "latin1");
  entry.writeUInt8(attribute, 11);
  for (const at of [14, 22]) entry.writeUInt16LE(madeAt.time, at);
  for (const at of [16, 18, 24]) entry.writeUInt16LE(madeAt.date, at);
  entry.writeUInt16LE(cluster, 26);
  entry.writeUInt32LE(bytes, 28);
  return entry;
}

/** The long name ahead of its short entry, last piece first. */
function longEntries(name: string, short: string): Uint8Array[] {
  const pieces = Math.ceil(name.length / 13);
  const units = [...Buffer.from(name)].concat(name.length % 13 === 0 ? [] : [0]);
  const checksum = Buffer.from(short, "latin1").reduce(
    (sum, byte) => (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff,
    0,
  );
  return Array.from({ length: pieces }, (_, index) => {
    const piece = pieces - 1 - index;
    const entry = Buffer.alloc(entryBytes);
    entry.writeUInt8((piece + 1) | (index === 0 ? 0x40 : 0), 0);
    entry.writeUInt8(attributes.longName, 11);
    entry.writeUInt8(checksum, 13);
    [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30].forEach((at, unit) => {
      entry.writeUInt16LE(units[piece * 13 + unit] ?? 0xffff, at);
    });
    return entry;
  });
}
