// Writing images to raw files: the real manager, real threads and direct calls. Block devices are in test/services/flashing.test.ts.
import { createHash } from "node:crypto";
import { mkdtemp, open, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { fsAdapter } from "../../../src/adapters/fs/index.ts";
import { type DeviceProgress, nodeHash, writeImage } from "../../../src/adapters/node/index.ts";
import type { ImageManager } from "../../../src/core/index.ts";
import { rejection } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { createTestManager } from "../../support/test-manager.ts";

const MiB = 1024 * 1024;
// Neither whole blocks nor whole pages.
const imageBytes = 14 * MiB + 1536;
const api = await sharedApi({ imageBytes });
const root = await mkdtemp(join(tmpdir(), "write-image-"));
afterAll(() => rm(root, { recursive: true, force: true }));

const storage = fsAdapter({ base: join(root, "store") });
const { manager } = createTestManager(api, { storage, freshness: { maxAgeMs: 3600e3 } });
const { etag } = await manager.prefetch(slug, version);
const image = Buffer.from(api.image(slug, version).bytes());

let directory = "";
let path = "";
beforeEach(async () => {
  directory = await mkdtemp(join(root, "target-"));
  path = await rawFile("card.img");
});

/** A raw file with old content. */
async function rawFile(name: string, bytes = 20 * MiB, fill = 0xaa): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, Buffer.alloc(bytes, fill));
  return file;
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const imageIn = async (file = path) => (await readFile(file)).subarray(0, imageBytes);

/** A manager whose streams are changed on their way. */
const changing = (
  change: (bytes: Uint8Array<ArrayBuffer>, position: number) => void,
): Pick<ImageManager, "get"> => ({
  async get(...args) {
    const stream = await manager.get(...args);
    let position = 0;
    const changed = stream.pipeThrough(
      new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform(bytes, controller) {
          change(bytes, position);
          position += bytes.length;
          controller.enqueue(bytes);
        },
      }),
    );
    const { deviceType, version, mime, size, origin, committed } = stream;
    return Object.assign(changed, {
      deviceType,
      version,
      mime,
      origin,
      committed,
      size: size!,
      etag: stream.etag!,
    });
  },
});

describe("writeImage", () => {
  test("writes the image over what was there, leaves the rest, and verifies it", async () => {
    const written = await writeImage(manager, slug, version, path);
    expect(written).toEqual({
      ...{ device: path, deviceType: slug, version, mime: "application/octet-stream", origin: "cache", etag },
      ...{ size: imageBytes, skippedBytes: 0, readBack: "device" },
    });
    const file = await readFile(path);
    expect(file.length).toBe(20 * MiB);
    expect(sha256(file.subarray(0, imageBytes))).toBe(sha256(image));
    expect(file.subarray(imageBytes).every((byte) => byte === 0xaa)).toBe(true);
  });

  test("makes a small file larger", async () => {
    await truncate(path, 0);
    await writeImage(manager, slug, version, path);
    expect(sha256(await readFile(path))).toBe(sha256(image));
  });

  test("leaves runs of zeros as they are, if asked to", async () => {
    const { skippedBytes } = await writeImage(manager, slug, version, path, { zeros: "skip" });
    expect(skippedBytes).toBeGreaterThan(imageBytes / 10);
    const found = await imageIn();
    let left = 0;
    for (let at = 0; at < imageBytes; at += 4096) {
      const page = found.subarray(at, at + 4096);
      if (page.equals(image.subarray(at, at + 4096))) continue;
      expect(page.every((byte) => byte === 0xaa)).toBe(true);
      left += page.length;
    }
    // The first block was wiped before.
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(skippedBytes);
  });

  test("gives the same image on a file of zeros", async () => {
    await writeFile(path, Buffer.alloc(20 * MiB));
    await writeImage(manager, slug, version, path, { zeros: "skip" });
    expect(sha256(await imageIn())).toBe(sha256(image));
  });

  test("reports both phases of each device, up to 100 %", async () => {
    const reports: DeviceProgress[] = [];
    await writeImage(manager, slug, version, path, { onProgress: (progress) => reports.push(progress) });
    for (const phase of ["writing", "verifying"] as const) {
      const ofPhase = reports.filter((report) => report.phase === phase);
      expect(ofPhase.length).toBeGreaterThan(2);
      expect(ofPhase.at(-1)).toMatchObject({ device: path, transferredBytes: imageBytes, percent: 100 });
      const sizes = ofPhase.map(({ transferredBytes }) => transferredBytes);
      expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
    }
  });

  test("writes an image that is not cached yet", async () => {
    const { manager: fresh } = createTestManager(api);
    const written = await writeImage(fresh, slug, version, path, { verify: false });
    expect(written).toMatchObject({ origin: "network", readBack: "none", etag });
    expect(sha256(await imageIn())).toBe(sha256(image));
  });

  test("says the SHA-256 if the manager computes it", async () => {
    const { manager: hashing } = createTestManager(api, { sha256: true, hash: nodeHash });
    expect(await writeImage(hashing, slug, version, path)).toMatchObject({ sha256: sha256(image) });
    expect(await writeImage(hashing, slug, version, path)).toMatchObject({ sha256: sha256(image) });
  });

  test("writes an edited image, and does not call it by the names of the plain one", async () => {
    const { manager: hashing } = createTestManager(api, { sha256: true, hash: nodeHash });
    const edit = async () => [{ start: 10 * MiB, bytes: new TextEncoder().encode("edited") }];
    for (const round of ["downloaded", "cached"]) {
      const written = await writeImage(hashing, slug, version, path, { edit });
      expect(written.sha256, round).toBeUndefined();
      expect(written.etag, round).not.toBe(etag);
      const expected = Buffer.from(image);
      expected.write("edited", 10 * MiB);
      expect(sha256(await imageIn())).toBe(sha256(expected));
    }
  });

  test("follows links", async () => {
    const link = join(directory, "by-id");
    await symlink(path, link);
    expect((await writeImage(manager, slug, version, link)).device).toBe(path);
  });
});

describe("several devices", () => {
  test("are written from one reading", async () => {
    const paths = await Promise.all(["a", "b", "c", "d"].map((name) => rawFile(name)));
    let gets = 0;
    const counting: Pick<ImageManager, "get"> = {
      get: (...args) => {
        gets += 1;
        return manager.get(...args);
      },
    };
    const results = await writeImage(counting, slug, version, paths);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled", "fulfilled"]);
    for (const file of paths) expect(sha256(await imageIn(file))).toBe(sha256(image));
    expect(gets).toBe(1);
  });

  test("one that can't be written does not harm the others", async () => {
    const missing = join(directory, "missing");
    const [bad, worse, good] = await writeImage(manager, slug, version, [missing, "/dev/null", path]);
    expect(bad).toMatchObject({ status: "rejected", reason: { code: "INVALID_ARGUMENT" } });
    expect(worse).toMatchObject({ status: "rejected", reason: { code: "INVALID_ARGUMENT" } });
    expect(good).toMatchObject({ status: "fulfilled", value: { size: imageBytes } });
  });

  test("the same one twice is written once", async () => {
    const link = join(directory, "link");
    await symlink(path, link);
    const results = await writeImage(manager, slug, version, [path, link]);
    const failed = results.filter((result) => result.status === "rejected");
    expect(failed).toHaveLength(1);
    expect(failed[0]!.reason).toMatchObject({ code: "STORE", cause: { code: "EBUSY" } });
    expect(sha256(await imageIn())).toBe(sha256(image));
  });

  test("nothing is requested if none can be written", async () => {
    const never: Pick<ImageManager, "get"> = { get: () => Promise.reject(new Error("asked")) };
    const [result] = await writeImage(never, slug, version, [join(directory, "missing")]);
    expect(result).toMatchObject({ status: "rejected", reason: { code: "INVALID_ARGUMENT" } });
  });
});

describe("a writing that does not come to its end", () => {
  const firstBytes = async () => (await readFile(path)).subarray(0, 4 * MiB);
  const isWiped = async () => (await firstBytes()).every((byte) => byte === 0);

  test("aborted: rejects with the reason, and there is no partition table", async () => {
    const controller = new AbortController();
    const onProgress = ({ phase }: DeviceProgress) =>
      phase === "verifying" && controller.abort(new Error("enough"));
    const failure = await rejection(
      writeImage(manager, slug, version, path, { signal: controller.signal, onProgress }),
    );
    expect((failure as Error).message).toBe("enough");
    expect(await isWiped()).toBe(true);
  });

  test("the image fails half-way: the same", async () => {
    const failing = changing((_, position) => {
      if (position > 9 * MiB) throw new Error("the line was cut");
    });
    const failure = await rejection(writeImage(failing, slug, version, path));
    expect((failure as Error).message).toBe("the line was cut");
    expect(await isWiped()).toBe(true);
  });

  test("the download is not proven complete: TRUNCATED_DOWNLOAD, and no partition table", async () => {
    const unproven: Pick<ImageManager, "get"> = {
      async get(...args) {
        const stream = await manager.get(...args);
        const { etag: _, ...facts } = stream;
        const committed = () =>
          Promise.reject(Object.assign(new Error("no proof"), { code: "TRUNCATED_DOWNLOAD" }));
        return Object.assign(stream, facts, { committed, etag: undefined }) as never;
      },
    };
    const failure = await rejection(writeImage(unproven, slug, version, path));
    expect(failure).toMatchObject({ code: "TRUNCATED_DOWNLOAD" });
    expect(await isWiped()).toBe(true);
  });

  test("the device holds other bytes: INTEGRITY that says where, and no partition table", async () => {
    const spoil = async ({ phase, transferredBytes }: DeviceProgress) => {
      if (phase !== "writing" || transferredBytes < imageBytes) return;
      const file = await open(path, "r+");
      await file.write(Buffer.from("spoilt"), 0, 6, 9 * MiB);
      await file.close();
    };
    let spoiling: Promise<void> | undefined;
    const onProgress = (progress: DeviceProgress) => {
      if (progress.percent === 100) spoiling ??= spoil(progress);
    };
    // The proof is awaited between the phases: time to spoil.
    const waiting = changing(() => undefined);
    const slow: Pick<ImageManager, "get"> = {
      async get(...args) {
        const stream = await waiting.get(...args);
        return Object.assign(stream, {
          etag: undefined,
          committed: async () => void (await spoiling),
        }) as never;
      },
    };
    const failure = await rejection(writeImage(slow, slug, version, path, { onProgress }));
    expect(failure).toMatchObject({ code: "INTEGRITY", image: path, chunk: 2 });
    expect((failure as Error).message).toContain(`between ${8 * MiB} and ${12 * MiB}`);
    expect(await isWiped()).toBe(true);
  });

  test("a file that is being written already is busy", async () => {
    const [one, other] = await Promise.allSettled([
      writeImage(manager, slug, version, path),
      writeImage(manager, slug, version, path),
    ]);
    const failed = [one, other].filter((result) => result.status === "rejected");
    expect(failed).toHaveLength(1);
    expect(failed[0]!.reason).toMatchObject({ code: "STORE", cause: { code: "EBUSY" } });
    expect(sha256(await imageIn())).toBe(sha256(image));
    await writeImage(manager, slug, version, path, { verify: false }); // and free again
  });
});

describe("bad input", () => {
  test.each([
    ["zeros", { zeros: "never" }],
    ["verify", { verify: 1 }],
    ["allowMounted", { allowMounted: "yes" }],
    ["allowSystemDisk", { allowSystemDisk: null }],
    ["deviceTimeoutMs", { deviceTimeoutMs: 0 }],
    ["onProgress", { onProgress: true }],
    ["range", { range: { start: 0 } }],
    ["waitUntil", { waitUntil: () => undefined }],
  ])("%s", async (name, options) => {
    const failure = await rejection(writeImage(manager, slug, version, path, options as never));
    expect(failure).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect((failure as Error).message).toContain(`"${name}"`);
  });

  test.each([[[]], [""], ["a\0b"], [42], [undefined], ["/dev/null"], ["/dev"]])(
    "device %j",
    async (device) => {
      const failure = await rejection(writeImage(manager, slug, version, device as never));
      expect(failure).toMatchObject({ code: "INVALID_ARGUMENT" });
    },
  );
});
