// Which devices may be overwritten, decided by what Linux says: laid-out /sys and /proc trees, and this machine's own.
import { lchown, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { assertFits, checkedDevice } from "../../../src/adapters/node/flash/device-target.ts";
import {
  deviceUses,
  parseMounts,
  parseSwaps,
  systemDisks,
} from "../../../src/adapters/node/flash/device-use.ts";
import {
  blockDeviceFacts,
  deviceNumber,
  disksOf,
  loopsOver,
} from "../../../src/adapters/node/flash/linux-devices.ts";
import { rejection } from "../../support/collect.ts";

const root = await mkdtemp(join(tmpdir(), "device-target-"));
afterAll(() => rm(root, { recursive: true, force: true }));

/** A disk with a system on LVM over LUKS, a card with two partitions, and a loop device over a file. */
const sys = join(root, "sys");
const proc = join(root, "proc");
const files = { sys, proc };
const devices = join(sys, "devices");

async function device(path: string, number: string, facts: Record<string, string> = {}) {
  const directory = join(devices, path);
  for (const [name, value] of Object.entries({ dev: number, size: "2048", ro: "0", ...facts })) {
    await mkdir(join(directory, name, ".."), { recursive: true });
    await writeFile(join(directory, name), `${value}\n`);
  }
  await mkdir(join(sys, "dev/block"), { recursive: true });
  await mkdir(join(sys, "block"), { recursive: true });
  await symlink(directory, join(sys, "dev/block", number));
  if (facts["partition"] === undefined) await symlink(directory, join(sys, "block", path));
}

async function stack(upper: string, lower: string) {
  await mkdir(join(devices, upper, "slaves"), { recursive: true });
  await mkdir(join(devices, lower, "holders"), { recursive: true });
  await symlink(join(devices, lower), join(devices, upper, "slaves", lower.split("/").at(-1)!));
  await symlink(join(devices, upper), join(devices, lower, "holders", upper));
}

await device("sda", "8:0", { size: "1000000" });
await device("sda/sda1", "8:1", { partition: "1" });
await device("sda/sda2", "8:2", { partition: "2" });
await device("dm-0", "253:0");
await device("dm-1", "253:1");
await stack("dm-0", "sda/sda2");
await stack("dm-1", "dm-0");
await device("sdb", "8:16", { size: "62333952", ro: "1" });
await device("sdb/sdb1", "8:17", { partition: "1" });
await device("sdb/sdb2", "8:18", { partition: "2" });
await device("loop0", "7:0", { "loop/backing_file": "/srv/disk.img" });
await mkdir(join(proc, "self"), { recursive: true });
await writeFile(
  join(proc, "self/mountinfo"),
  [
    "22 1 253:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw",
    "23 22 8:17 / /media/my\\040card rw - vfat /dev/sdb1 rw",
    "24 22 0:24 / /proc rw - proc proc rw",
    "25 22 7:0 / /mnt/disk rw - ext4 /dev/loop0 rw",
  ].join("\n"),
);
await writeFile(
  join(proc, "swaps"),
  "Filename\tType\tSize\tUsed\tPriority\n/dev/none\\040such partition 1 0 -2\n",
);

describe("what Linux says", () => {
  test.each([
    [0x0810n, "8:16"],
    [1792n, "7:0"],
    [0xfe01n, "254:1"],
    [0x100103n, "1:259"],
    [0x1000_0000_0000n | (5n << 8n), "4101:0"],
  ])("device number %s is %s", (rdev, number) => expect(deviceNumber(rdev)).toBe(number));

  test("a disk shares its bytes with its partitions and all that is built on them", async () => {
    const facts = await blockDeviceFacts(files, "8:0");
    expect(facts).toMatchObject({ sizeBytes: 512_000_000, isReadOnly: false });
    expect([...facts!.family].sort()).toEqual(["253:0", "253:1", "8:0", "8:1", "8:2"]);
  });

  test("a partition shares its bytes with its disk, not with its neighbours", async () => {
    expect([...(await blockDeviceFacts(files, "8:1"))!.family].sort()).toEqual(["8:0", "8:1"]);
    expect([...(await blockDeviceFacts(files, "8:2"))!.family].sort()).toEqual([
      "253:0",
      "253:1",
      "8:0",
      "8:2",
    ]);
  });

  test("write protection", async () => {
    expect(await blockDeviceFacts(files, "8:16")).toMatchObject({ isReadOnly: true });
  });

  test("a device that is gone is unknown", async () => {
    expect(await blockDeviceFacts(files, "8:99")).toBeUndefined();
  });

  test("the disks under a volume", async () => {
    expect([...(await disksOf(files, "253:1"))]).toEqual(["8:0"]);
    expect([...(await disksOf(files, "8:17"))]).toEqual(["8:16"]);
  });

  test("loop devices over a file", async () => {
    expect(await loopsOver(files, "/srv/disk.img")).toEqual(["7:0"]);
    expect(await loopsOver(files, "/srv/other.img")).toEqual([]);
  });

  test("the system's disks are found through LVM and encryption; the card's mount is none", async () => {
    const uses = await deviceUses(files);
    expect(uses).toContainEqual({ device: "8:17", place: "/media/my card" });
    expect([...(await systemDisks(files, uses))]).toEqual(["8:0"]);
  });

  test("swap makes a disk the system's", async () => {
    expect([...(await systemDisks(files, [{ device: "8:18", place: "swap" }]))]).toEqual(["8:16"]);
  });
});

describe("lists of the kernel", () => {
  test.each([
    ["", []],
    ["nonsense", []],
    ["1 2 8:1 / /a rw", [{ number: "8:1", source: "", place: "/a" }]],
    [
      "1 2 0:45 /@ / rw shared:3 master:1 - btrfs /dev/sda2 rw",
      [{ number: "0:45", source: "/dev/sda2", place: "/" }],
    ],
  ])("mounts %j", (text, mounts) => expect(parseMounts(text)).toEqual(mounts));

  test.each([
    ["", []],
    ["Filename Type Size Used Priority", []],
    ["Filename\n/dev/sda3 partition 1 0 -2\n", [{ source: "/dev/sda3", place: "swap" }]],
  ])("swaps %j", (text, swaps) => expect(parseSwaps(text)).toEqual(swaps));
});

describe("checkedDevice", () => {
  const unused = { allowMounted: false, allowSystemDisk: false };

  test("a file that is the content of a mounted loop device is refused", async () => {
    const file = join(root, "mounted.img");
    await writeFile(file, "x");
    await device("loop1", "7:1", { "loop/backing_file": file });
    await writeFile(join(proc, "1-mountinfo"), "");
    await mkdir(join(proc, "1"), { recursive: true });
    await writeFile(join(proc, "1/mountinfo"), "9 1 7:1 / /mnt/elsewhere rw - ext4 none rw\n");
    const failure = await rejection(checkedDevice(file, unused, files));
    expect(failure).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect((failure as Error).message).toContain("mounted at /mnt/elsewhere: unmount it");
    expect(await checkedDevice(file, { ...unused, allowMounted: true }, files)).toMatchObject({ path: file });
  });

  test.skipIf(process.getuid?.() !== 0)("a link that another user has made is not followed", async () => {
    const file = join(root, "own.img");
    await writeFile(file, "x");
    const link = join(root, "planted");
    await symlink(file, link);
    expect(await checkedDevice(link, unused)).toMatchObject({ path: file });
    await lchown(link, 12_001, 12_001);
    const failure = await rejection(checkedDevice(link, unused));
    expect(failure).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect((failure as Error).message).toContain("another user has made");
  });

  test.each(["/dev/null", "/dev", "/no/such/device", `${"x".repeat(300)}`])("%s is refused", async (name) => {
    expect(await rejection(checkedDevice(name, unused))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("assertFits", () => {
  const target = { name: "card", path: "/dev/x", isBlockDevice: true, key: "", sizeBytes: 1000 };
  test.each([undefined, 0, 999, 1000])("%s bytes fit", (bytes) => assertFits(target, bytes));
  test("more do not", async () => {
    const failure = await rejection((async () => assertFits(target, 1001))());
    expect(failure).toMatchObject({ code: "STORE", cause: { code: "ENOSPC" } });
    expect((failure as Error).message).toContain("1001 bytes, the device only 1000");
  });
});
