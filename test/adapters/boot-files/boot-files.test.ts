// Files written into boot partitions: balena's own reader finds them, the same edit gives the same bytes, and nothing else changes.
import { describe, expect, test } from "vitest";
import { bootFiles } from "../../../src/adapters/boot-files/index.ts";
import { EditError } from "../../../src/core/errors.ts";
import { rejection } from "../../support/collect.ts";
import { edited, gptDisk, listed, logicalDisk, mbrDisk, read, spansOf, volume, volumes } from "./disks.ts";

const fat16 = "FAT16, clusters of 2 KiB";
const fat12 = "FAT12, clusters of 512 bytes";
const base = { "config.json": '{"deviceType":"raspberrypi4-64","persistentLogging":false}' };

describe.each(volumes)("$name", ({ bytes }) => {
  const disk = mbrDisk(bytes.slice());
  const long = "0123456789abcdef".repeat(1000);

  test("files of every length arrive, in directories that were not there", async () => {
    const files = {
      "config.json": "{}",
      README: "a short name",
      empty: "",
      "system-connections/balena-wifi-01": "[connection]\n",
      "a/deep/Directory/file with a long name.txt": long,
      "ünïcödé.txt": "ü",
    };
    const after = await edited(disk, files);
    for (const [path, content] of Object.entries(files)) expect(await read(after, `/${path}`)).toBe(content);
  });

  test("a file that is there grows, shrinks and becomes empty", async () => {
    let after = await edited(disk, { "a.txt": "short", "b.txt": "neighbour" });
    for (const content of [long, "tiny", "", long.slice(0, 5000)]) {
      after = await edited(after, { "a.txt": content });
      expect(await read(after, "/a.txt")).toBe(content);
      expect(await read(after, "/b.txt")).toBe("neighbour");
    }
  });

  test("what shrinks and grows again leaves no cluster behind", async () => {
    const small = await edited(disk, { "a.txt": "x" });
    const large = await edited(small, { "a.txt": long });
    const again = await edited(await edited(large, { "a.txt": "x" }), { "a.txt": long });
    expect(Buffer.compare(again, large)).toBe(0);
  });

  test("the same files give the same bytes", async () => {
    const files = { ...base, "x/y": long };
    expect(await spansOf(disk, files)).toEqual(await spansOf(disk, files));
  });

  test("a directory takes more entries than one cluster holds", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 60 }, (_, index) => [`many/some file number ${index}`, String(index)]),
    );
    const after = await edited(disk, files);
    expect((await listed(after, "/many")).length).toBe(60);
    expect(await read(after, "/many/some file number 59")).toBe("59");
  });
});

describe("config.json", () => {
  const disk = edited(mbrDisk(volume(fat16)), base);

  test("as an object it is laid over the image's own", async () => {
    const after = await edited(await disk, {
      "config.json": { developmentMode: true, persistentLogging: true },
    });
    expect(JSON.parse(await read(after, "/config.json"))).toEqual({
      deviceType: "raspberrypi4-64",
      persistentLogging: true,
      developmentMode: true,
    });
  });

  test("as a text it replaces it", async () => {
    const after = await edited(await disk, { "/config.json": '{"only":1}' });
    expect(await read(after, "/config.json")).toBe('{"only":1}');
  });

  test("a small change is a few sectors", async () => {
    const spans = await spansOf(await disk, { "config.json": { developmentMode: true } });
    expect(spans.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThanOrEqual(1024);
  });

  test("an edit that changes nothing but a time stamp that is set already has no spans", async () => {
    const after = await edited(await disk, { "config.json": { developmentMode: true } });
    expect(await spansOf(after, { "config.json": { developmentMode: true } })).toEqual([]);
  });

  test("one that is no JSON object can't be merged into, and is not quoted", async () => {
    const broken = await edited(await disk, { "config.json": "planted secret {" });
    const error = await rejection(spansOf(broken, { "config.json": { a: 1 } }));
    expect(error).toMatchObject({ code: "EDIT", reason: "damaged" });
    expect(String(error)).not.toContain("planted");
  });
});

describe("the boot partition", () => {
  test.each([
    ["primary", mbrDisk, 1],
    ["logical", logicalDisk, 6],
    ["of a GUID table", gptDisk, 2],
  ])("%s, is found and written to", async (_, makeDisk, number) => {
    const disk = makeDisk(volume(fat12));
    const after = await edited(disk, { "config.json": { a: 1 } });
    const named = await edited(disk, { "config.json": { a: 1 } }, { partition: number });
    expect(Buffer.compare(named, after)).toBe(0); // `toEqual` takes seconds for megabytes
    if (makeDisk !== gptDisk) expect(await read(after, "/config.json", number)).toBe('{"a":1}');
  });

  test("by its config.json, before one that has only the name", async () => {
    const [plain, boot] = [volume(fat12), mbrDisk(volume(fat12))];
    const withConfig = (await edited(boot, base)).slice(1024 * 1024);
    const disk = logicalDisk(withConfig);
    const MiB = 1024 * 1024;
    disk.set(plain.subarray(0, MiB), MiB); // the first partition is a FAT that bears the name
    const after = await edited(disk, { "config.json": { a: 1 } });
    expect(JSON.parse(await read(after, "/config.json", 6))).toMatchObject({ a: 1 });
  });

  test.each([
    ["an image without a partition table", new Uint8Array(4096), undefined],
    ["an empty image", new Uint8Array(0), undefined],
    ["partitions that are no FAT", mbrDisk(new Uint8Array(4096)), undefined],
    ["a number that is not there", mbrDisk(volume(fat12)), 3],
    ["a number that is no FAT", mbrDisk(new Uint8Array(4096)), 1],
  ])("%s is EDIT, no-boot-partition", async (_, disk, partition) => {
    const error = await rejection(spansOf(disk, base, partition === undefined ? {} : { partition }));
    expect(error).toBeInstanceOf(EditError);
    expect(error).toMatchObject({ code: "EDIT", reason: "no-boot-partition" });
  });
});

describe("a file system that is damaged or full", () => {
  test("a file that does not fit is EDIT, full", async () => {
    const disk = mbrDisk(volume(fat12));
    const error = await rejection(spansOf(disk, { "big.bin": new Uint8Array(2 * 1024 * 1024) }));
    expect(error).toMatchObject({ code: "EDIT", reason: "full" });
  });

  test("a root directory that can't grow is EDIT, full", async () => {
    const files = Object.fromEntries(Array.from({ length: 600 }, (_, index) => [`FILE${index}`, ""]));
    expect(await rejection(spansOf(mbrDisk(volume(fat12)), files))).toMatchObject({ reason: "full" });
  });

  test("a chain that runs in a circle, leads outside or to a free cluster is EDIT, damaged", async () => {
    const name = "FAT16, clusters of 512 bytes";
    const disk = await edited(mbrDisk(volume(name)), { "a.bin": new Uint8Array(2048) });
    const partition = 1024 * 1024;
    const boot = new DataView(disk.buffer, partition, 512);
    const table = partition + boot.getUint16(14, true) * 512;
    for (const next of [2, 0xfff0, 0, 1]) {
      const broken = disk.slice();
      new DataView(broken.buffer).setUint16(table + 2 * 3, next, true);
      const error = await rejection(spansOf(broken, { "a.bin": "x" }));
      expect(error).toMatchObject({ code: "EDIT", reason: "damaged" });
    }
  });

  test("a volume that claims to be larger than its partition is EDIT, damaged", async () => {
    const disk = mbrDisk(volume(fat16));
    new DataView(disk.buffer).setUint32(1024 * 1024 + 32, 0x7fffffff, true);
    new DataView(disk.buffer).setUint16(1024 * 1024 + 19, 0, true);
    expect(await rejection(spansOf(disk, base))).toMatchObject({ reason: "damaged" });
  });

  test("a directory in a file's place, and a file in a directory's, are EDIT, damaged", async () => {
    const disk = await edited(mbrDisk(volume(fat12)), { "a/b": "x", c: "y" });
    for (const files of [{ a: "now a file" }, { "c/d": "now a directory" }])
      expect(await rejection(spansOf(disk, files))).toMatchObject({ code: "EDIT", reason: "damaged" });
  });

  test("bytes that are random in every place end in a result or a typed error", async () => {
    const disk = await edited(mbrDisk(volume(fat12)), { ...base, "a/b/c": "x".repeat(3000) });
    let seed = 1;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    for (let round = 0; round < 500; round++) {
      const broken = disk.slice();
      for (let change = 0; change < 20; change++) {
        const isTable = change % 4 === 0;
        broken[isTable ? random(512) : 1024 * 1024 + random(40_000)] = random(256);
      }
      const outcome = await spansOf(broken, { "config.json": { a: 1 }, "a/b/c": "y" }).catch(
        (error) => error,
      );
      if (!Array.isArray(outcome)) expect(outcome).toMatchObject({ code: "EDIT" });
    }
  });
});

describe("what is no file", () => {
  test.each([
    ["no object", 7],
    ["a path with ..", { "../x": "" }],
    ["a path with .", { "./x": "" }],
    ["an empty name", { "a//b": "" }],
    ["an empty path", { "": "" }],
    ["a control character", { "a\nb": "" }],
    ["a colon", { "a:b": "" }],
    ["a dot at the end", { "a.": "" }],
    ["a name of 256 characters", { ["x".repeat(256)]: "" }],
    ["half a character", { "\ud800": "" }],
    ["names that FAT does not tell apart", { a: "", A: "" }],
    ["an object for a text file", { "a.txt": {} }],
    ["a number", { "a.json": 7 }],
    ["null", { "a.json": null }],
    ["10,000 files", Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`f${index}`, ""]))],
    ["more than 64 MiB", { a: new Uint8Array(65 * 1024 * 1024) }],
  ])("%s is INVALID_ARGUMENT", (_, files) => {
    expect(() => bootFiles(files as never)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("options of the wrong shape are INVALID_ARGUMENT", () => {
    for (const options of [null, 7, { partition: 0 }, { partition: "1" }])
      expect(() => bootFiles({}, options as never)).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
  });

  test("an object that has no JSON is INVALID_ARGUMENT, and nothing of it is told", async () => {
    const circle: Record<string, unknown> = { secret: "planted" };
    circle["self"] = circle;
    const error = await rejection(spansOf(mbrDisk(volume(fat12)), { "config.json": circle }));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(String(error)).not.toContain("planted");
  });

  test("an edit that is not wanted any more stops with the signal's reason", async () => {
    const disk = mbrDisk(volume(fat12));
    const image = { size: disk.length, read: async (start: number, end: number) => disk.slice(start, end) };
    const attempt = bootFiles(base)({ ...image, signal: AbortSignal.abort("enough") });
    await expect(attempt).rejects.toBe("enough");
  });
});
