// Files at random, written into boot partitions of every kind one edit after the other: fsck.vfat finds nothing, mtools the right files.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bootFiles } from "../../../../src/adapters/boot-files/index.ts";
import type { Judged } from "./compare.ts";
import { type Format, formats, makeDisk, plainLayout } from "./disks.ts";
import { fsckFaults } from "./judge.ts";
import { edited } from "./makers.ts";
import { filesIn } from "./tools.ts";

const rounds = 12;
// No two of them are one name to FAT, which does not tell small letters from capitals.
const names = [
  "a",
  "README",
  "config.json",
  "a file with a long name.txt",
  "ünïcödé",
  "x.y.z",
  "DEVICE.DTB",
  "n",
];
const folders = ["", "", "keys/", "keys/deep/", "system-connections/", "a folder with a long name/"];

/** Makes and judges them. */
export async function judgeRandomFiles(seed: number): Promise<Judged[]> {
  const judged: Judged[] = [];
  for (const format of formats) judged.push(await judge(format, randomBelow(seed)));
  return judged;
}

async function judge(format: Format, below: (limit: number) => number): Promise<Judged> {
  const directory = mkdtempSync(join(tmpdir(), "random-files-"));
  const faults: string[] = [];
  let spanBytes = 0;
  try {
    mkdirSync(join(directory, "tree"));
    let disk = makeDisk(directory, format, plainLayout);
    const expected = filesOf(directory, disk.bytes, disk.boot.start);
    for (let round = 0; round < rounds && faults.length === 0; round++) {
      const files: Record<string, Uint8Array> = {};
      for (let count = 1 + below(4); count > 0; count--) {
        const path = folders[below(folders.length)]! + names[below(names.length)]!;
        const content = new Uint8Array(below(5) === 0 ? 0 : below(60_000)).fill(1 + below(255));
        files[path] = content;
        expected.set(`/${path}`, Buffer.from(content));
      }
      const { image, spans } = await edited(disk, bootFiles(files, { partition: 1 }));
      spanBytes = spans.reduce((sum, { bytes }) => sum + bytes.length, spanBytes);
      disk = { ...disk, bytes: image };
      faults.push(...fsckFaults(directory, disk, image), ...fileFaults(directory, disk, expected));
    }
  } catch (error) {
    faults.push(String(error));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return { name: `${format.name}, files at random`, spanBytes, faults };
}

function fileFaults(
  directory: string,
  { bytes, boot }: { bytes: Buffer; boot: { start: number } },
  expected: ReadonlyMap<string, Buffer>,
): string[] {
  const found = filesOf(directory, bytes, boot.start);
  const wrong = [...expected].filter(
    ([name, content]) => !content.equals(found.get(name) ?? Buffer.from("no")),
  );
  const more = [...found.keys()].filter((name) => !expected.has(name));
  return [...wrong.map(([name]) => `${name} is wrong`), ...more.map((name) => `${name} was not written`)];
}

function filesOf(directory: string, bytes: Buffer, start: number): Map<string, Buffer> {
  const file = join(directory, "random.img");
  writeFileSync(file, bytes);
  return filesIn({ file, start });
}

/** The same numbers for the same seed. */
function randomBelow(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % limit;
  };
}
