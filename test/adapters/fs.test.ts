/** The fs store: the contract of every store, its options, and what becomes of its files, whatever dies when. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { storeContract } from "../contract/store-contract.ts";
import { contractHost } from "../support/contract-host.ts";
import { adapterAt, bytes, newBase, treeOf } from "../support/fs-store.ts";

describe.each([
  ["contract", {}],
  ["contract, with fsync and a single open file", { fsync: true, maxOpenFiles: 1 }],
])("%s", async (_, options) => {
  await storeContract({
    ...contractHost,
    create: async () => fsAdapter({ base: join(await newBase(), "made", "lazily"), ...options }),
  });
});

describe("options", () => {
  test.each([
    { base: "" },
    { base: undefined },
    { base: "a\0b" },
    { base: "x", fsync: "yes" },
    { base: "x", maxOpenFiles: 0 },
    { base: "x", maxOpenFiles: 1.5 },
    { base: "x", mode: 0o400 },
    { base: "x", mode: 0o1777 },
    { base: "x", mode: "660" },
    undefined,
    null,
    "x",
  ])("%o is refused", (options) => {
    expect(() => fsAdapter(options as never)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("making an adapter and reading from it writes nothing", async () => {
    const base = join(await newBase(), "later");
    const store = adapterAt(base);
    expect([await store.read("a:b"), await store.has("a:b"), await store.keys("a:")]).toEqual([
      null,
      false,
      [],
    ]);
    await store.remove("a:b");
    await store.clear("");
    await expect(stat(base)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("removeItems", () => {
  test("names the keys whose files can't be deleted, deletes the others, and leaves no empty directory", async () => {
    const base = await newBase();
    const store = adapterAt(base);
    for (const key of ["a:1", "a:2", "b:1", "c:1"]) await store.write(key);
    await mkdir(join(base, "d", "stuck.bin"), { recursive: true });
    const failed = await fsAdapter({ base }).removeItems?.(["a:1", "a:2", "d:stuck", "b:1", "no"]);
    expect(failed).toEqual([
      { key: "d:stuck", cause: expect.objectContaining({ code: expect.stringMatching(/^(EISDIR|EPERM)$/) }) },
    ]);
    expect((await treeOf(base)).filter((path) => !path.startsWith("."))).toEqual([
      "c",
      "c/1.bin",
      "d",
      "d/stuck.bin",
    ]);
  });
});

describe("files", () => {
  test.skipIf(process.platform === "win32")("are their owner's alone (modes; Windows has none)", async () => {
    const base = join(await newBase(), "inner");
    const store = adapterAt(base);
    await store.write("level:value");
    await store.create("level:created");
    const modes = await Promise.all(
      ["", "level", "level/value.bin", "level/created.bin"].map(
        async (path) => (await stat(join(base, path))).mode,
      ),
    );
    expect(modes.map((mode) => (mode & 0o777).toString(8))).toEqual(["700", "700", "600", "600"]);
  });

  test("are all that stays behind: no temporary file, no second name", async () => {
    const base = await newBase();
    const store = adapterAt(base);
    await store.write("a:b");
    await store.create("a:c");
    await store.create("a:c");
    expect(await treeOf(base)).toEqual([".tmp", "a", "a/b.bin", "a/c.bin"].map((path) => join(path)));
    expect((await stat(join(base, "a", "c.bin"))).nlink).toBe(1);
  });

  test("leave no directory when they go, while one with other files stays", async () => {
    const base = await newBase();
    const store = adapterAt(base);
    for (const key of ["a:b:c", "a:b:d", "a", "e:f"]) await store.write(key);
    await store.remove("a:b:c");
    expect(await store.keys()).toEqual(["a", "a:b:d", "e:f"]);
    for (const key of ["a:b:d", "e:f"]) await store.remove(key);
    expect(await treeOf(base)).toEqual(["a.bin"]);
    await store.clear("");
    expect(await treeOf(base)).toEqual([]);
  });

  test("are written although others empty and delete their directory all the time", async () => {
    const base = await newBase();
    const store = adapterAt(base);
    const rounds = Array.from({ length: 8 }, async (_, writer) => {
      for (let round = 0; round < 50; round++) {
        await store.write(`busy:level:${writer}`);
        expect(await store.read(`busy:level:${writer}`)).toEqual(bytes);
        await store.remove(`busy:level:${writer}`);
      }
    });
    await Promise.all(rounds);
    expect(await treeOf(base)).toEqual([]);
  });

  test("come back after the whole base was deleted underneath", async () => {
    const base = await newBase();
    const store = adapterAt(base);
    await store.write("a:b:c");
    await rm(base, { recursive: true });
    await store.write("a:b:c");
    expect(await store.read("a:b:c")).toEqual(bytes);
    await rm(base, { recursive: true });
    expect(await store.create("a:b:c")).toBe("created");
  });

  test("that a crash left half written are swept with the first write, after an hour", async () => {
    const base = await newBase();
    const twoHoursAgo = new Date(Date.now() - 2 * 60 * 60 * 1000);
    const [old, young] = [
      "11111111-2222-4333-8444-555555555555.tmp",
      "66666666-7777-4888-9999-aaaaaaaaaaaa.tmp",
    ];
    await mkdir(join(base, ".tmp"));
    for (const name of [old, young, "a stranger's"]) await writeFile(join(base, ".tmp", name), "x");
    for (const name of [old, "a stranger's"])
      await utimes(join(base, ".tmp", name), twoHoursAgo, twoHoursAgo);
    const store = adapterAt(base);
    await store.read("a");
    expect(await readdir(join(base, ".tmp"))).toHaveLength(3);
    await store.write("a");
    await store.settle();
    expect((await readdir(join(base, ".tmp"))).sort()).toEqual([young, "a stranger's"].sort());
    expect(await store.keys()).toEqual(["a"]);
  });

  test("hold what text and other buffers say", async () => {
    const driver = fsAdapter({ base: await newBase() });
    await driver.setItem?.("text", "\ufeffäöü", {});
    await driver.setItemRaw?.("raw", new Uint16Array([0x0201, 0x0403]).subarray(1), {});
    await driver.setItemRaw?.("buffer", new Uint8Array([5, 6]).buffer, {});
    expect(await driver.getItem("text")).toBe("\ufeffäöü");
    expect(await driver.getItemRaw?.("raw", {})).toEqual(new Uint8Array([3, 4]));
    expect(await driver.getItemRaw?.("buffer", {})).toEqual(new Uint8Array([5, 6]));
    await expect(driver.setItemRaw?.("number", 5, {})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("a writer that is killed", () => {
  const code = `
    import { fsAdapter } from ${JSON.stringify(new URL("../../src/adapters/fs/index.ts", import.meta.url).href)};
    const store = fsAdapter({ base: process.argv[1] });
    for (let byte = 1; ; byte = (byte % 200) + 1) {
      await store.setItemRaw("torn", new Uint8Array(4 * 1024 * 1024).fill(byte), {});
      if (byte === 1) console.log("writing");
    }`;

  test("leaves a whole value, and its readers never see less", async () => {
    const base = await newBase();
    const store = adapterAt(base);
    for (let kill = 0; kill < 8; kill++) {
      await readWhileKilled(base, 20 + kill * 7, async () => expectWhole(await store.read("torn")));
      expectWhole(await store.read("torn"));
      expect(await store.keys()).toEqual(["torn"]);
    }
  });

  async function readWhileKilled(base: string, delayMs: number, read: () => Promise<void>): Promise<void> {
    const child = spawn(process.execPath, ["--input-type=module", "-e", code, base], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await once(child.stdout, "data");
      setTimeout(() => child.kill("SIGKILL"), delayMs);
      while (child.exitCode === null && child.signalCode === null) await read();
      expect(child.signalCode).toBe("SIGKILL");
    } finally {
      // Also where a read failed: else the writer would outlive the test.
      child.kill("SIGKILL");
    }
  }

  function expectWhole(value: unknown): void {
    if (!(value instanceof Uint8Array)) throw new Error("the value is missing");
    expect(value.length).toBe(4 * 1024 * 1024);
    expect(value.every((byte) => byte === value[0])).toBe(true);
  }
});
