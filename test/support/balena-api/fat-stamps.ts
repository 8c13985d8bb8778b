// Sets the time stamps of what was changed in a FAT file system: who changed it took the time from the machine's clock.

const entryBytes = 32;
const isLongName = 0x0f;
const isDirectory = 0x10;

/** The changed file system, with `at` as the time of each directory entry that is not as it was. */
export function stampChanges(
  before: Uint8Array,
  after: Uint8Array<ArrayBuffer>,
  at: Date,
): Uint8Array<ArrayBuffer> {
  const [old, view] = [
    new DataView(before.buffer, before.byteOffset),
    new DataView(after.buffer, after.byteOffset),
  ];
  for (const entry of entriesOf(view)) {
    if (before.subarray(entry, entry + entryBytes).every((byte, i) => byte === after[entry + i])) continue;
    stamp(view, entry, at, old.getUint8(entry) === 0);
  }
  return after;
}

/** Offsets of all directory entries: of the root, and of its directories of one cluster. */
function* entriesOf(view: DataView): Generator<number> {
  const { rootStart, rootEnd, dataStart, clusterBytes } = layoutOf(view);
  for (const entry of slots(view, rootStart, rootEnd)) {
    yield entry;
    if ((view.getUint8(entry + 11) & isDirectory) === 0) continue;
    const start = dataStart + (view.getUint16(entry + 26, true) - 2) * clusterBytes;
    yield* slots(view, start + 2 * entryBytes, start + clusterBytes);
  }
}

function* slots(view: DataView, start: number, end: number): Generator<number> {
  for (let at = start; at < end && view.getUint8(at) !== 0; at += entryBytes)
    if (view.getUint8(at + 11) !== isLongName) yield at;
}

function layoutOf(view: DataView) {
  const sector = view.getUint16(11, true);
  const rootStart = (view.getUint16(14, true) + view.getUint8(16) * view.getUint16(22, true)) * sector;
  const rootEnd = rootStart + view.getUint16(17, true) * entryBytes;
  return { rootStart, rootEnd, dataStart: rootEnd, clusterBytes: view.getUint8(13) * sector };
}

/** As fatfs writes them: local time, tenths of a second in the field for hundredths. */
function stamp(view: DataView, entry: number, at: Date, isNew: boolean): void {
  const date = ((at.getFullYear() - 1980) << 9) | ((at.getMonth() + 1) << 5) | at.getDate();
  const time = (at.getHours() << 11) | (at.getMinutes() << 5) | (at.getSeconds() >> 1);
  view.setUint16(entry + 18, date, true); // read
  view.setUint16(entry + 22, time, true); // written
  view.setUint16(entry + 24, date, true);
  if (!isNew) return;
  view.setUint8(entry + 13, Math.floor(((at.getSeconds() % 2) * 1000 + at.getMilliseconds()) / 100));
  view.setUint16(entry + 14, time, true);
  view.setUint16(entry + 16, date, true);
}
