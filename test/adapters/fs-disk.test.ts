/** The disk: one file of the fs adapter asks the platform for it, and nothing of the package replaces it. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { type Disk, replaceDisk } from "../../src/adapters/fs/disk.ts";
import { adapterAt, newBase } from "../support/fs-store.ts";

const source = fileURLToPath(new URL("../../src", import.meta.url));

async function filesWith(directory: string, pattern: RegExp): Promise<string[]> {
  const names = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith(".ts"));
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), "utf8")));
  return names.filter((_, index) => pattern.test(texts[index]!)).sort();
}

test("only disk.ts imports the platform's", async () => {
  const platform = /from "node:(fs\/promises|crypto)"|\bDate\.now\b/;
  expect(await filesWith(join(source, "adapters/fs"), platform)).toEqual(["disk.ts"]);
});

test("no code of the package replaces it", async () => {
  expect(await filesWith(source, /replaceDisk/)).toEqual([join("adapters", "fs", "disk.ts")]);
});

test("a store is on the disk that was given, until that is taken back", async () => {
  const store = adapterAt(await newBase());
  const fail = async () => Promise.reject(Object.assign(new Error("none"), { code: "EIO" }));
  const restore = replaceDisk(new Proxy({} as Disk, { get: () => fail }));
  onTestFinished(restore);
  await expect(store.write("a:b")).rejects.toMatchObject({ code: "EIO" });
  restore();
  await store.write("a:b");
  expect(await store.keys("")).toEqual(["a:b"]);
});
