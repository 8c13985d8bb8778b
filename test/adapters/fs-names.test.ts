/** The fs store and what lies on the disk: names that no disk refuses or mistakes, and strangers left alone. */
import { mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { adapterAt, bytes, newBase, treeOf } from "../support/fs-store.ts";

describe("names", () => {
  test("are plain if the key is", async () => {
    const base = await newBase();
    const store = adapterAt(base);
    const id = `beagle~6.0.10-rev1~${"ab".repeat(16)}`;
    await store.write(`v1:images:${id}`);
    expect((await stat(join(base, "v1", "images", `${id}.bin`))).size).toBe(3);
  });

  // What Windows, or a disk that folds case or normalises accents, would refuse or take for another name.
  test.each([
    ["con", "%63on"],
    ["nul.txt", "%6eul.txt"],
    ["com1", "%63om1"],
    ["lpt9.a.b", "%6cpt9.a.b"],
    ["console", "console"],
    ["com10", "com10"],
    ["a.", "a%2e"],
    ["a ", "a%20"],
    ['<>"|*\\/', "%3c%3e%22%7c%2a%5c%2f"],
    ["A", "%41"],
    ["%41", "%2541"],
    ["ä", "%c3%a4"],
    ["a\0b", "a%00b"],
    ["..", "%2e%2e"],
    [".tmp", "%2etmp"],
    ["x.bin", "x%2ebin"],
    ["balena~1", "balena%7e1"],
    ["balena~1.img", "balena%7e1.img"],
    ["balena-images~1", "balena-images~1"],
  ])("%j becomes %s, as a file and as a directory", async (level, name) => {
    const base = await newBase();
    const store = adapterAt(base);
    await store.write(level);
    await store.write(`${level}:inner`);
    expect((await treeOf(base)).filter((path) => path !== ".tmp")).toEqual(
      [name, join(name, "inner.bin"), `${name}.bin`].sort(),
    );
    expect(await store.keys()).toEqual([level, `${level}:inner`].sort());
    expect(await store.keys(`${level}:`)).toEqual([`${level}:inner`]);
  });

  test.each(["../../out", "..:..:out", "/etc/out", "..\\out", "a:..:..:..:out"])(
    "%s stays inside",
    async (key) => {
      const base = join(await newBase(), "b");
      const store = adapterAt(base);
      await store.write(key);
      expect(await readdir(join(base, ".."))).toEqual(["b"]);
      expect(await store.keys()).toEqual([key]);
    },
  );

  test.each(["", ":", "a::b", "a:", ":a", "a\ud800"])("%j is refused", async (key) => {
    const store = adapterAt(await newBase());
    await expect(store.write(key)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(store.read(key)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await store.keys()).toEqual([]);
  });

  test("are listed by any beginning, not only by whole levels", async () => {
    const store = adapterAt(await newBase());
    for (const key of ["p", "p:a", "p:ab", "p:a:b", "p:b", "p:b:a"]) await store.write(key);
    expect(await store.keys("p:a")).toEqual(["p:a", "p:a:b", "p:ab"]);
    expect(await store.keys("p:b")).toEqual(["p:b", "p:b:a"]);
    expect(await store.keys("p:x")).toEqual([]);
  });

  test("too long for a disk are refused, the longest that fit are taken", async () => {
    const store = adapterAt(await newBase());
    const [longest, longestLevel] = ["a".repeat(251), `${"b".repeat(255)}:c`];
    for (const key of [longest, longestLevel]) await store.write(key);
    expect(await store.keys()).toEqual([longest, longestLevel]);
    for (const key of [`${longest}a`, `b${longestLevel}`, "Ä".repeat(50)]) {
      await expect(store.write(key)).rejects.toMatchObject({
        code: "ENAMETOOLONG",
        message: expect.stringContaining("level of the key"),
      });
      await expect(store.read(key)).rejects.toMatchObject({ code: "ENAMETOOLONG" });
      await expect(store.has(key)).rejects.toMatchObject({ code: "ENAMETOOLONG" });
    }
  });
});

describe("strangers in the base", () => {
  test("are not listed, whatever they are named", async () => {
    const base = await newBase();
    const store = adapterAt(base);
    await store.write("level:mine");
    const foreign = [
      "notes.txt",
      "UPPER.bin",
      "%zz.bin",
      "%61.bin",
      ".hidden.bin",
      ".bin",
      "a%3ab.bin",
      "con.bin",
    ];
    for (const name of foreign) {
      await writeFile(join(base, name), "x");
      await writeFile(join(base, "level", name), "x");
    }
    for (const name of ["directory.bin", "Upper", ".git", "%C3"]) {
      await mkdir(join(base, name));
      await writeFile(join(base, name, "inside.bin"), "x");
    }
    expect(await store.keys()).toEqual(["level:mine"]);
    await store.clear("");
    expect(await treeOf(join(base, "level"))).toEqual([...foreign].sort());
    expect(await readFile(join(base, ".git", "inside.bin"), "utf8")).toBe("x");
  });

  test("that are links are neither listed, read nor cleared, and replaced rather than written through", async () => {
    const [base, outside] = [await newBase(), await newBase()];
    const store = adapterAt(base);
    await writeFile(join(outside, "secret.bin"), "x");
    await store.write("p:mine");
    await symlink(outside, join(base, "p", "linked"));
    await symlink(outside, join(base, "top"));
    await symlink(join(outside, "secret.bin"), join(base, "p", "file.bin"));
    await symlink(base, join(base, "p", "loop"));
    expect(await store.keys()).toEqual(["p:mine"]);
    expect(await store.keys("p:linked:")).toEqual([]);
    expect(await store.keys("top:")).toEqual([]);
    expect([await store.read("p:file"), await store.has("p:file")]).toEqual([null, false]);
    await store.write("p:file");
    expect(await store.read("p:file")).toEqual(bytes);
    await store.clear("top");
    await store.clear("");
    expect(await readFile(join(outside, "secret.bin"), "utf8")).toBe("x");
    expect(await readdir(outside)).toEqual(["secret.bin"]);
  });

  test("a directory in a file's place is no value", async () => {
    const base = await newBase();
    const store = adapterAt(base);
    await mkdir(join(base, "a.bin"));
    expect([await store.read("a"), await store.has("a"), await store.keys()]).toEqual([null, false, []]);
    await expect(store.write("a")).rejects.toMatchObject({ syscall: "rename" });
    expect(await readdir(join(base, ".tmp"))).toEqual([]);
  });

  test("do not matter if the base lies inside node_modules", async () => {
    const base = join(await newBase(), "node_modules", ".cache", "images");
    const store = adapterAt(base);
    await store.write("a:b");
    expect(await store.keys()).toEqual(["a:b"]);
    expect(await store.keys("a:")).toEqual(["a:b"]);
  });
});
