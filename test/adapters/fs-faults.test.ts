/** The fs store when the disk fails: real faults where they can be had, else a failing call of node:fs/promises. */
import { chmod, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createLimit } from "../../src/adapters/fs/limit.ts";
import { outwaitWindows } from "../../src/adapters/fs/retry.ts";
import { adapterAt, bytes, newBase, treeOf } from "../support/fs-store.ts";

// Faults of the disk that can't be had on demand: the call named fails with the error given.
const faults = vi.hoisted(() => ({}) as { link?: Error; write?: Error; renames?: Error[]; realpath?: Error });
afterEach(() => {
  delete faults.link;
  delete faults.write;
  delete faults.renames;
  delete faults.realpath;
});
vi.mock("node:fs/promises", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs/promises")>();
  const link: typeof real.link = async (...from) =>
    faults.link ? Promise.reject(faults.link) : real.link(...from);
  const rename: typeof real.rename = async (...from) => {
    const fault = faults.renames?.shift();
    return fault ? Promise.reject(fault) : real.rename(...from);
  };
  const realpath = async (path: string) =>
    faults.realpath ? Promise.reject(faults.realpath) : real.realpath(path);
  const open: typeof real.open = async (...from) => {
    const handle = await real.open(...from);
    if (faults.write) handle.write = () => Promise.reject(faults.write);
    return handle;
  };
  return { ...real, link, open, realpath, rename };
});

function errorWithCode(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe("faults reject, with their code", () => {
  test("if the base's parent is a file", async () => {
    const file = join(await newBase(), "file");
    await writeFile(file, "x");
    const store = adapterAt(join(file, "base"));
    const { write, create, read, keys, has } = store;
    for (const call of [write, create, read, has]) {
      await expect(call("a:b")).rejects.toMatchObject({ code: "ENOTDIR" });
    }
    for (const prefix of ["", "a:"]) await expect(keys(prefix)).rejects.toMatchObject({ code: "ENOTDIR" });
  });

  test.runIf(process.platform === "linux")(
    "if no directory can be made (/proc refuses it; Linux)",
    async () => {
      const store = adapterAt("/proc/no-such-base");
      for (const call of [store.write, store.create]) {
        await expect(call("a:b")).rejects.toMatchObject({ code: "ENOENT" });
      }
    },
  );

  test.skipIf(process.getuid?.() === 0 || process.platform === "win32")(
    "if the base is read-only (permissions bind neither root nor Windows)",
    async () => {
      const base = await newBase();
      await chmod(base, 0o500);
      await expect(adapterAt(base).write("a:b")).rejects.toMatchObject({ code: "EACCES" });
    },
  );

  test.each(["EIO", "EMFILE"])(
    "if the base can't be looked at (%s), but only as long as that lasts",
    async (code) => {
      const base = await newBase();
      await adapterAt(base).write("a:b");
      const other = adapterAt(base);
      faults.realpath = errorWithCode(code);
      await expect(other.read("a:b")).rejects.toMatchObject({ code });
      delete faults.realpath;
      expect(await other.read("a:b")).toEqual(bytes);
    },
  );

  test("if a write fails, and the old value stays, without litter", async () => {
    const base = await newBase();
    const store = adapterAt(base);
    await store.write("a:b");
    faults.write = errorWithCode("ENOSPC");
    await expect(store.write("a:b", new Uint8Array(10))).rejects.toMatchObject({ code: "ENOSPC" });
    await expect(store.create("a:c")).rejects.toMatchObject({ code: "ENOSPC" });
    expect(await store.read("a:b")).toEqual(bytes);
    expect(await treeOf(base)).toEqual([".tmp", "a", join("a", "b.bin")]);
  });

  test("unless others delete the directory just then, a few times over", async () => {
    const base = await newBase();
    const store = adapterAt(base);
    faults.renames = Array.from({ length: 9 }, () => errorWithCode("ENOENT"));
    await store.write("a:b");
    expect([await store.read("a:b"), faults.renames]).toEqual([bytes, []]);
    expect(await treeOf(base)).toEqual([".tmp", "a", join("a", "b.bin")]);
  });

  test.each(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EISDIR"])(
    "but a disk without hard links (%s) is unsupported, and nothing written",
    async (code) => {
      const base = await newBase();
      const store = adapterAt(base);
      faults.link = errorWithCode(code);
      expect(await store.create("a:b")).toBe("unsupported");
      expect(await store.keys()).toEqual([]);
      expect(await readdir(join(base, ".tmp"))).toEqual([]);
    },
  );
});

describe("outwaitWindows", () => {
  const failing = (times: number, code: string) => {
    let calls = 0;
    return async () => {
      if (++calls <= times) throw errorWithCode(code);
      return calls;
    };
  };

  test.each(["EPERM", "EACCES", "EBUSY"])(
    "tries again on Windows after %s, and nowhere else",
    async (code) => {
      expect(await outwaitWindows(failing(3, code), "win32")).toBe(4);
      await expect(outwaitWindows(failing(1, code), "linux")).rejects.toMatchObject({ code });
    },
  );

  test("gives up in the end, and at once on other errors", async () => {
    await expect(outwaitWindows(failing(1, "ENOSPC"), "win32")).rejects.toMatchObject({ code: "ENOSPC" });
    await expect(outwaitWindows(failing(100, "EBUSY"), "win32")).rejects.toMatchObject({ code: "EBUSY" });
  });
});

test("createLimit bounds what runs at once, in order, and a failure makes room", async () => {
  const limit = createLimit(3);
  const started: number[] = [];
  let [running, most] = [0, 0];
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) =>
      limit(async () => {
        started.push(index);
        most = Math.max(most, ++running);
        await turn();
        running -= 1;
        if (index % 2 === 0) throw new Error("expected");
      }),
    ),
  );
  expect([results.length, most]).toEqual([20, 3]);
  expect(started).toEqual([...started].sort((a, b) => a - b));
});
