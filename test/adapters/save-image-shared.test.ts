/** `saveImage` into a directory that other users write to: what they planted there is neither taken up, followed, nor in the way. */
import { execFileSync } from "node:child_process";
import {
  chmod,
  lchown,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { saveImage } from "../../src/adapters/node/index.ts";
import { draftPath, fillDraft, saveTargets } from "../support/save-drafts.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../support/test-manager.ts";

const MiB = 1024 * 1024;
const imageBytes = 2 * MiB;
const api = await sharedApi({ imageBytes });
const { manager } = createTestManager(api, { storage: memoryAdapter() });
const { etag } = await manager.prefetch(slug, version);
const image = Buffer.from(api.image(slug, version).bytes());
const { root, next } = await saveTargets();

const [stranger, isRoot] = [12_001, process.getuid?.() === 0];
let directory = "";
let path = "";
beforeEach(async () => {
  ({ directory, path } = await next());
});

const draftName = () => draftPath(path, etag);
/** Fills a file as a draft that holds all of the image. */
const fill = (draft: string) => fillDraft(draft, image, imageBytes, { writtenBytes: imageBytes, chunkBytes });

const save = async () => {
  const { resumedBytes } = await saveImage(manager, slug, version, path);
  expect(Buffer.compare(await readFile(path), image)).toBe(0);
  expect((await lstat(path)).isFile()).toBe(true);
  return resumedBytes;
};

describe.skipIf(process.platform === "win32")("a draft", () => {
  test("of this user is taken up", async () => {
    await fill(await draftName());
    expect(await save()).toBe(imageBytes);
  });

  test.runIf(isRoot)("of another user is neither taken up nor deleted (needs root)", async () => {
    const draft = await draftName();
    await fill(draft);
    await lchown(draft, stranger, stranger);
    expect(await save()).toBe(0);
    expect((await stat(draft)).uid).toBe(stranger);
    expect(await readdir(directory)).toHaveLength(2);
  });

  test("that is a link to another file leaves that file alone", async () => {
    const victim = join(root, "victim");
    await fill(victim);
    const before = await readFile(victim);
    await symlink(victim, await draftName());
    expect(await save()).toBe(0);
    expect(Buffer.compare(await readFile(victim), before)).toBe(0);
  });

  test("that is a second name of another file leaves that file alone", async () => {
    const victim = join(root, "victim with two names");
    await fill(victim);
    await link(victim, await draftName());
    expect(await save()).toBe(0);
    expect((await stat(victim)).ino).not.toBe((await stat(path)).ino);
  });

  test("that is a pipe, a directory or a link to nothing is in nobody's way", async () => {
    execFileSync("mkfifo", [await draftName()]);
    await mkdir(await draftName());
    await symlink(join(root, "nowhere"), await draftName());
    expect(await save()).toBe(0);
  });

  test.runIf(isRoot)("that this user may not rename is none: the save starts over (needs root)", async () => {
    const draft = await draftName();
    await fill(draft);
    try {
      execFileSync("chattr", ["+i", draft], { stdio: "ignore" });
    } catch {
      return; // this disk has no such files
    }
    try {
      expect(await save()).toBe(0);
    } finally {
      execFileSync("chattr", ["-i", draft]);
    }
  });
});

describe.skipIf(process.platform === "win32")("a link as target", () => {
  test("of this user is followed", async () => {
    const real = join(directory, "real.img");
    await writeFile(real, "old");
    await symlink(real, path);
    await saveImage(manager, slug, version, path);
    expect(Buffer.compare(await readFile(real), image)).toBe(0);
  });

  test.runIf(isRoot)("of another user is refused, and what it leads to stays (needs root)", async () => {
    const victim = join(directory, "victim");
    await writeFile(victim, "precious");
    await symlink(victim, path);
    await lchown(path, stranger, stranger);
    await expect(saveImage(manager, slug, version, path)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("another user"),
    });
    expect(await readFile(victim, "utf8")).toBe("precious");
  });
});

describe.skipIf(process.platform === "win32")("permissions", () => {
  const modeOf = async () => ((await stat(path)).mode & 0o777).toString(8);

  test.each([
    ["a Wi-Fi key", { network: "wifi", wifiSsid: "net", wifiKey: "hush-hush" }],
    ["a fleet's keys", { appId: 7 }],
  ] as const)(
    "of an image with %s are its owner's alone, also over a file that was open",
    async (_, options) => {
      await saveImage(manager, slug, version, path, options);
      expect(await modeOf()).toBe("600");
      await chmod(path, 0o644);
      await saveImage(manager, slug, version, path, options);
      expect(await modeOf()).toBe("600");
      expect(await readdir(directory)).toEqual(["balena.img"]);
    },
  );

  test("of a plain image are the usual ones", async () => {
    await save();
    expect(await modeOf()).toBe((0o666 & ~process.umask()).toString(8));
  });
});
