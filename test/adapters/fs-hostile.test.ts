/** The fs store over a directory that strangers have been at: pipes, sockets, links and giants, on every runtime with files. */
import { execFile, execFileSync } from "node:child_process";
import { mkdir, open, readdir, rename, rm, stat, symlink, unlink, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { adapterAt, bytes, newBase, treeOf } from "../support/fs-store.ts";

const MiB = 1024 * 1024;
const isWindows = process.platform === "win32";
const bin = (name: string) => fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url));
const child = fileURLToPath(new URL("fs-hostile-child.ts", import.meta.url));
const runtimes: [name: string, program: string, args: string[]][] = [
  ["Node", process.execPath, []],
  ["Bun", bin("bun"), ["run"]],
  [
    "Deno",
    bin("deno"),
    ["run", "--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--no-config"],
  ],
];

async function sparseFile(path: string, size: number): Promise<void> {
  const file = await open(path, "wx");
  await file.truncate(size);
  await file.close();
}

/** A base with one sound value and everything else that can stand in a value's place. */
async function hostileBase() {
  const base = await newBase();
  const outside = await newBase();
  await mkdir(join(outside, ".tmp"));
  await writeFile(join(outside, "value.bin"), bytes);
  await writeFile(join(base, "sound.bin"), bytes);
  execFileSync("mkfifo", [join(base, "fifo.bin")]);
  await sparseFile(join(base, "large.bin"), 5 * MiB);
  await sparseFile(join(base, "giant.bin"), 3 * 1024 * MiB);
  await symlink(join(outside, "value.bin"), join(base, "link.bin"));
  await symlink("/dev/zero", join(base, "zero.bin"));
  await mkdir(join(base, "directory.bin"));
  const server = createServer().listen(join(base, "socket.bin"));
  onTestFinished(() => void server.close());
  await symlink(outside, join(base, "out"));
  return { base, outside };
}

describe.skipIf(isWindows)("on every runtime (Windows has no such files)", () => {
  test.each(runtimes)(
    "%s: what is no file of ours is no value, and nothing outside is touched",
    async (_, program, args) => {
      const { base, outside } = await hostileBase();
      const before = await treeOf(outside);
      const keys = ["sound", "fifo", "socket", "link", "zero", "directory", "large", "giant", "out:value"];
      const { stdout } = await promisify(execFile)(program, [...args, child, base, ...keys], {
        timeout: 120_000,
      });
      const lines = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      const none = { has: false, bounded: null, unbounded: null, remove: false, write: false, create: false };
      expect(lines.slice(0, -1)).toEqual([
        { ...none, key: "sound", has: true, bounded: "3 bytes", unbounded: "3 bytes" },
        ...["fifo", "socket", "link", "zero", "directory"].map((key) => ({ ...none, key })),
        { ...none, key: "large", has: true, unbounded: `${5 * MiB} bytes` },
        { ...none, key: "giant", has: true, unbounded: "EFBIG" },
        { ...none, key: "out:value", remove: null, write: "ELOOP", create: "ELOOP" },
        ["giant", "large", "sound"],
        [],
      ]);
      expect(lines.at(-1)).toBeLessThan(600 * 1024);
      expect(await treeOf(outside)).toEqual(before);
    },
  );
});

describe.skipIf(isWindows)("links", () => {
  test("in the place of the temporary directory: nothing is written or swept behind it", async () => {
    const [base, outside] = [await newBase(), await newBase()];
    const old = join(outside, "11111111-2222-4333-8444-555555555555.tmp");
    await writeFile(old, "x");
    await utimes(old, 0, 0);
    await symlink(outside, join(base, ".tmp"));
    const store = adapterAt(base);
    await expect(store.write("a")).rejects.toMatchObject({ code: "ELOOP" });
    await expect(store.create("a")).rejects.toMatchObject({ code: "ELOOP" });
    await store.settle();
    expect(await readdir(outside)).toEqual(["11111111-2222-4333-8444-555555555555.tmp"]);
    await unlink(join(base, ".tmp"));
    await store.write("a");
    expect(await store.read("a")).toEqual(bytes);
  });

  test("deep below the base, or that lead nowhere yet, are not followed either", async () => {
    const [base, outside] = [await newBase(), await newBase()];
    const store = adapterAt(base);
    await store.write("a:b:kept");
    await symlink(outside, join(base, "a", "b", "c"));
    await symlink(join(outside, "later"), join(base, "a", "dangling"));
    for (const key of ["a:b:c:d", "a:b:c:d:e"])
      await expect(store.write(key)).rejects.toMatchObject({ code: "ELOOP" });
    await expect(store.write("a:dangling:x")).rejects.toMatchObject({ code: expect.any(String) });
    await mkdir(join(outside, "later"));
    await expect(store.write("a:dangling:x")).rejects.toMatchObject({ code: "ELOOP" });
    expect(await treeOf(outside)).toEqual(["later"]);
    expect(await store.keys()).toEqual(["a:b:kept"]);
  });

  test("that replace a directory while the store is used end its use", async () => {
    const [base, outside] = [await newBase(), await newBase()];
    const store = adapterAt(base);
    await store.write("a:b");
    await rename(join(base, "a"), join(outside, "a"));
    await symlink(join(outside, "a"), join(base, "a"));
    expect([await store.read("a:b"), await store.has("a:b"), await store.keys()]).toEqual([null, false, []]);
    await store.remove("a:b");
    await store.clear("a");
    expect(await treeOf(outside)).toEqual(["a", join("a", "b.bin")]);
  });

  test("to the base itself are the user's, and may come to lead elsewhere", async () => {
    const [first, second, parent] = [await newBase(), await newBase(), await newBase()];
    const base = join(parent, "current");
    await symlink(first, base);
    const store = adapterAt(base);
    await store.write("a:b");
    expect(await store.read("a:b")).toEqual(bytes);
    await unlink(base);
    await symlink(second, base);
    expect(await store.read("a:b")).toBeNull();
    await store.write("a:c");
    expect([await treeOf(first), await treeOf(second)]).toEqual([
      [".tmp", "a", join("a", "b.bin")],
      [".tmp", "a", join("a", "c.bin")],
    ]);
  });
});

describe.skipIf(isWindows)("mode (Windows has none)", () => {
  test.each([
    ["660", "770 770 660"],
    ["644", "755 755 644"],
    ["600", "700 700 600"],
  ])(
    "%s is that of files, and lets its readers into directories, whatever the umask",
    async (mode, expected) => {
      const base = join(await newBase(), "made");
      const umask = process.umask(0o077);
      onTestFinished(() => void process.umask(umask));
      const store = fsAdapter({ base, mode: Number.parseInt(mode, 8) });
      await store.setItemRaw?.("a:b", bytes, {});
      await store.createIfAbsent?.("a:c", bytes);
      const modeOf = async (path: string) => ((await stat(join(base, path))).mode & 0o777).toString(8);
      expect((await Promise.all(["", "a", "a/b.bin"].map(modeOf))).join(" ")).toBe(expected);
      expect(await modeOf("a/c.bin")).toBe(await modeOf("a/b.bin"));
      expect(await modeOf(".tmp")).toBe(await modeOf("a"));
    },
  );

  test.runIf(process.getuid?.() === 0)("lets two users of a group share a store (needs root)", async () => {
    const base = await newBase();
    await rm(base, { recursive: true });
    await mkdir(base);
    execFileSync("chgrp", ["65534", base]);
    execFileSync("chmod", ["2770", base]);
    for (const parent of [join(base, ".."), join(base, "../..")]) execFileSync("chmod", ["a+x", parent]);
    const code = `
      import { fsAdapter } from ${JSON.stringify(new URL("../../src/adapters/fs/index.ts", import.meta.url).href)};
      process.setgroups([65534]); process.setgid(Number(process.argv[2])); process.setuid(Number(process.argv[2]));
      const store = fsAdapter({ base: process.argv[1], mode: 0o660 });
      for (const key of ["a:b:c", "a:b:d"]) {
        await store.setItemRaw(key, new Uint8Array(3), {});
        if ((await store.getItemRaw(key, {}))?.length !== 3) throw new Error("not read back");
      }
      await store.removeItem("a:b:d", {});`;
    for (const uid of ["12001", "12002", "12001"])
      execFileSync(process.execPath, ["--input-type=module", "-e", code, base, uid]);
    expect(await adapterAt(base).keys()).toEqual(["a:b:c"]);
  });
});

/** A disk of 1 MiB, where this may mount one. */
async function smallDisk(): Promise<string | undefined> {
  const base = await newBase();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", base], { stdio: "ignore" });
    onTestFinished(() => void execFileSync("umount", [base]));
    return base;
  } catch {
    return undefined;
  }
}

test("a disk that is full: ENOSPC, the old value stays, nothing is left behind, and deleting makes room", async ({
  skip,
}) => {
  const base = await smallDisk();
  if (base === undefined) return skip("only who may mount a disk can fill it");
  const store = adapterAt(base);
  const half = new Uint8Array(MiB / 2).fill(1);
  await store.write("a:old", half);
  for (let round = 0; round < 3; round++) {
    await expect(store.write("a:old", new Uint8Array(MiB))).rejects.toMatchObject({ code: "ENOSPC" });
    await expect(store.write("b:new", new Uint8Array(MiB))).rejects.toMatchObject({ code: "ENOSPC" });
  }
  expect(await store.read("a:old")).toEqual(half);
  expect(await store.keys()).toEqual(["a:old"]);
  expect(await readdir(join(base, ".tmp"))).toEqual([]);
  await store.remove("a:old");
  await store.write("b:new", half);
  expect(await store.read("b:new")).toEqual(half);
});
