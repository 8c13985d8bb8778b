// Flashing real block devices: loop devices, which the kernel mounts, claims and refuses as any disk. Needs root on Linux.
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { constants } from "node:fs";
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ensureInstalled } from "../../scripts/services/install.ts";
import { bootFiles } from "../../src/adapters/boot-files/index.ts";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { checkedDevice } from "../../src/adapters/node/flash/device-target.ts";
import { deviceUses } from "../../src/adapters/node/flash/device-use.ts";
import { kernelFiles } from "../../src/adapters/node/flash/linux-devices.ts";
import { type DeviceProgress, writeImage } from "../../src/adapters/node/index.ts";
import type { ImageManager, ImageSource } from "../../src/core/index.ts";
import { rejection } from "../support/collect.ts";
import { type LoopDevice, loopDevice, run, whyNoLoopDevices } from "../support/loop-devices.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const MiB = 1024 * 1024;
const imageBytes = 96 * MiB;
const api = await sharedApi({ imageBytes });
const root = await mkdtemp(join(tmpdir(), "flashing-"));
const base = join(root, "store");
const chunkBytes = 4 * MiB;
const { manager } = createTestManager(api, {
  ...{ storage: fsAdapter({ base }), chunkBytes, freshness: { maxAgeMs: 3600e3 } },
});
const sha256 = await api.image(slug, version).sha256;

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});
afterAll(() => rm(root, { recursive: true, force: true }));

let count = 0;
/** A device with old content on it. */
async function card(bytes = 112 * MiB, ...options: string[]): Promise<LoopDevice> {
  const device = loopDevice(join(root, `card-${count++}`), bytes, ...options);
  undo.push(() => device.detach());
  return device;
}

const directory = async () => mkdtemp(join(root, "mount-"));

async function mount(device: string, ...options: string[]): Promise<string> {
  const place = await directory();
  run("mount", ...options, device, place);
  undo.push(() => run("umount", place));
  return place;
}

async function sha256Of(path: string): Promise<string> {
  const file = await open(path, "r");
  const hash = createHash("sha256");
  const stream = file.createReadStream({ end: imageBytes - 1, highWaterMark: MiB });
  for await (const piece of stream) hash.update(piece as Buffer);
  return hash.digest("hex");
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path, "r");
  const { buffer } = await file.read(Buffer.alloc(chunkBytes), 0, chunkBytes, 0);
  await file.close();
  return buffer;
}

const isZero = (bytes: Buffer) => bytes.every((byte) => byte === 0);
const messageOf = (failure: unknown) => (failure as Error).message;

const hasFat = /\bvfat\b/.test(await readFile("/proc/filesystems", "utf8").catch(() => ""));
const reason = whyNoLoopDevices();
if (reason !== undefined) test.skip(`flashing loop devices: ${reason}`, () => undefined);

describe.skipIf(reason !== undefined)("flashing loop devices", () => {
  beforeAll(async () => {
    ensureInstalled([
      { program: "losetup", packages: ["mount"] },
      { program: "mkfs.ext4", packages: ["e2fsprogs"] },
      { program: "sfdisk", packages: ["fdisk"] },
      { program: "partx", packages: ["util-linux"] },
      { program: "mdir", packages: ["mtools"] },
    ]);
    await manager.prefetch(slug, version);
  }, 300_000);

  test("four cards at once: the image on each, past the page cache, and its boot partition can be mounted and read", async () => {
    const cards = [await card(), await card(), await card(), await card()];
    const before = api.counters.requests;
    const results = await writeImage(
      manager,
      slug,
      version,
      cards.map(({ path }) => path),
    );
    expect(results.map((result) => result.status === "fulfilled" && result.value)).toEqual(
      cards.map(({ path }) =>
        expect.objectContaining({ device: path, size: imageBytes, readBack: "device" }),
      ),
    );
    expect(api.counters.requests).toBe(before);
    for (const { path, file } of cards) {
      expect(await sha256Of(path)).toBe(sha256);
      expect(await sha256Of(file)).toBe(sha256);
      run("partx", "--add", path);
      undo.push(() => run("partx", "--delete", path));
      expect(JSON.parse(bootFile(`${path}p1`, "config.json"))).toMatchObject({ deviceType: slug });
    }
    if (!hasFat) return console.warn("This kernel has no vfat: mtools alone has read the boot partition");
    const place = await mount(`${cards[3]!.path}p1`, "-o", "ro");
    expect(JSON.parse(await readFile(join(place, "config.json"), "utf8"))).toMatchObject({
      deviceType: slug,
    });
  });

  test("four cards with a Linux file system: each can be mounted, checked and read", async () => {
    const cards = [await card(), await card(), await card(), await card()];
    const linux = await linuxImages();
    const paths = cards.map(({ path }) => path);
    const results = await writeImage(linux, slug, version, paths);
    expect(results.map(({ status }) => status)).toEqual(Array(4).fill("fulfilled"));
    for (const path of paths) {
      run("partx", "--add", path);
      undo.push(() => run("partx", "--delete", path));
      run("fsck.ext4", "-n", "-f", `${path}p1`);
      const place = await mount(`${path}p1`, "-o", "ro");
      expect(await readFile(join(place, "etc/os-release"), "utf8")).toBe(osRelease);
    }
  });

  const osRelease = 'NAME="balenaOS"\n';

  /** A manager over an upstream whose one image is a partition table and an ext4 file system. */
  async function linuxImages(): Promise<ImageManager> {
    const tree = await directory();
    await mkdir(join(tree, "etc"));
    await writeFile(join(tree, "etc/os-release"), osRelease);
    const disk = join(root, "linux.img");
    run("truncate", "--size", String(imageBytes), disk);
    execFileSync("sfdisk", ["--quiet", disk], { input: "start=8192, type=83\n" });
    const start = 8192 * 512;
    run("mkfs.ext4", "-q", "-d", tree, "-E", `offset=${start}`, disk, `${(imageBytes - start) / 1024}k`);
    const bytes = await readFile(disk);
    const server = createServer((_, response) => response.end(bytes)).listen(0, "127.0.0.1");
    await once(server, "listening");
    undo.push(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/linux.img`;
    const source: ImageSource = {
      id: "http://images.test",
      resolveDeviceType: async () => slug,
      versions: async () => [{ version, line: "default", draft: false }],
      request: async () => ({ url, gzip: false, exactBytes: imageBytes }),
    };
    const storage = fsAdapter({ base: join(root, "linux") });
    const made = createTestManager(api, { source, storage, chunkBytes, freshness: { maxAgeMs: 3600e3 } });
    await made.manager.prefetch(slug, version);
    return made.manager;
  }

  test("the station of the examples writes four cards, and says which one failed", async () => {
    const cards = [await card(), await card(8 * MiB), await card(), await card()];
    const station = fileURLToPath(new URL("../../examples/flashing-station.ts", import.meta.url));
    const fromSource = new URL("../support/package-from-source.ts", import.meta.url).href;
    const child = spawn(
      process.execPath,
      ["--import", fromSource, station, slug, "6.1.x", ...cards.map(({ path }) => path)],
      {
        env: { ...process.env, BALENA_API_URL: api.url, IMAGE_CACHE: join(root, "station") },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    const [said, complained] = [collectText(child.stdout), collectText(child.stderr)];
    expect(await once(child, "exit"), await complained).toEqual([1, null]);
    expect(await said).toContain(`balenaOS ${version} for ${slug}, SHA-256 ${sha256}`);
    expect(await complained).toContain(`${cards[1]!.path} FAILED`);
    for (const { path } of cards.filter((_, index) => index !== 1)) {
      expect(await said).toContain(`${path} verifying 100 %`);
      expect(await said).toContain(`${path} done`);
      expect(await sha256Of(path)).toBe(sha256);
    }
  });

  async function collectText(stream: AsyncIterable<Buffer>): Promise<string> {
    let text = "";
    for await (const piece of stream) text += piece;
    return text;
  }

  test("a configured image: what mtools reads on the card is what was laid over the cached image", async () => {
    const { path } = await card();
    const edit = bootFiles({ "config.json": { applicationId: 4711 } });
    await writeImage(manager, slug, version, path, { edit });
    run("partx", "--add", path);
    undo.push(() => run("partx", "--delete", path));
    const config = { deviceType: slug, applicationId: 4711 };
    expect(JSON.parse(bootFile(`${path}p1`, "config.json"))).toMatchObject(config);
  });

  /** As mtools reads it. */
  const bootFile = (partition: string, name: string) => run("mtype", "-i", partition, `::/${name}`);

  test("a mounted card is refused by its name and place; so is a card with a mounted partition", async () => {
    const { path } = await card();
    await writeImage(manager, slug, version, path);
    run("partx", "--add", path);
    undo.push(() => run("partx", "--delete", path));
    run("mkfs.ext4", "-q", `${path}p2`);
    const place = await mount(`${path}p2`, "-o", "ro");
    const before = await sha256Of(path);
    for (const device of [path, `${path}p2`]) {
      const failure = await rejection(writeImage(manager, slug, version, device));
      expect(failure).toMatchObject({ code: "INVALID_ARGUMENT" });
      expect(messageOf(failure)).toContain(`mounted at ${place}: unmount it`);
    }
    expect(await sha256Of(path)).toBe(before);
    // Told so, it does.
    const written = await writeImage(manager, slug, version, path, { allowMounted: true, zeros: "skip" });
    expect(written.skippedBytes).toBeGreaterThan(0);
  });

  test("the system's own disk is refused", async () => {
    const uses = await deviceUses(kernelFiles);
    const system = uses.find(({ place }) => place === "/")?.device;
    const name = `/dev/block/${system}`;
    await mkdir("/dev/block", { recursive: true });
    const node = join(root, "system-disk");
    const [major = "", minor = ""] = (system ?? "").split(":");
    run("mknod", node, "b", major, minor);
    // Only looked at: a fault here must not cost the machine.
    const asked = { allowMounted: true, allowSystemDisk: false };
    const failure = await rejection(checkedDevice(node, asked));
    expect(failure, name).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(messageOf(failure)).toContain("the disk that this system runs from");
    const mounted = await rejection(checkedDevice(node, { allowMounted: false, allowSystemDisk: true }));
    expect(messageOf(mounted)).toContain("mounted at /");
  });

  test("a card that is too small is left as it was; one whose image has no known size loses its old partition table", async () => {
    const { path, file } = await card(8 * MiB);
    await writeFile(path, Buffer.alloc(8 * MiB, 0x55));
    const failure = await rejection(writeImage(manager, slug, version, path));
    expect(failure).toMatchObject({ code: "STORE", cause: { code: "ENOSPC" } });
    expect(messageOf(failure)).toContain(`${imageBytes} bytes, the device only ${8 * MiB}`);
    expect((await readFile(file)).every((byte) => byte === 0x55)).toBe(true);
    const { manager: fresh } = createTestManager(api);
    const later = await rejection(writeImage(fresh, slug, version, path));
    expect(later).toMatchObject({ code: "STORE", cause: { code: "ENOSPC" } });
    expect(isZero(await headOf(path))).toBe(true);
  });

  test("a write-protected card: EROFS", async () => {
    const { path } = await card(112 * MiB, "--read-only");
    const failure = await rejection(writeImage(manager, slug, version, path));
    expect(failure).toMatchObject({ code: "STORE", cause: { code: "EROFS" } });
  });

  test("a card that another program holds: EBUSY, and it is left as it was", async () => {
    const { path } = await card();
    const other = await open(path, constants.O_RDONLY | constants.O_EXCL);
    const failure = await rejection(writeImage(manager, slug, version, path));
    await other.close();
    expect(failure).toMatchObject({ code: "STORE", cause: { code: "EBUSY" } });
    await writeImage(manager, slug, version, path, { verify: false });
  });

  test("two calls for one card: one has it", async () => {
    const { path } = await card();
    const write = () => writeImage(manager, slug, version, path);
    const results = await Promise.allSettled([write(), write()]);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await sha256Of(path)).toBe(sha256);
  });

  test("a card that fails half-way, as if it were pulled out, harms no other and has no partition table", async () => {
    const place = await directory();
    run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place);
    undo.push(() => run("umount", place));
    const failing = loopDevice(join(place, "card"), 112 * MiB); // the file system is full long before
    undo.push(() => failing.detach());
    const good = await card();
    const [bad, fine] = await writeImage(manager, slug, version, [failing.path, good.path]);
    expect(bad).toMatchObject({ status: "rejected", reason: { code: "STORE" } });
    expect((bad as PromiseRejectedResult).reason.cause.code).toMatch(/^(EIO|ENOSPC)$/);
    expect(fine).toMatchObject({ status: "fulfilled" });
    expect(isZero(await headOf(failing.path))).toBe(true);
    expect(await sha256Of(good.path)).toBe(sha256);
  });

  test("a writer that is killed leaves no partition table, and the next one can begin at once", async () => {
    const { path } = await card();
    await writeImage(manager, slug, version, path); // one that a glance would take for finished
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL("flashing/write-image-child.ts", import.meta.url)), api.url, base, path],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    for await (const line of createInterface(child.stdout!)) if (line.startsWith("verifying")) break;
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(isZero(await headOf(path))).toBe(true);
    await writeImage(manager, slug, version, path);
    expect(await sha256Of(path)).toBe(sha256);
  });

  describe("a card that stands still", () => {
    /** A device over a file on a file system of its own, which can be frozen. */
    async function freezable() {
      const disk = loopDevice(join(root, `disk-${count++}`), 200 * MiB);
      undo.push(() => disk.detach());
      run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk.path);
      const place = await mount(disk.path);
      const device = loopDevice(join(place, "card"), 112 * MiB);
      undo.push(() => device.detach());
      let state: "before" | "frozen" | "after" = "before";
      const freeze = () => {
        if (state === "before") run("fsfreeze", "--freeze", place);
        state = "frozen";
      };
      const thaw = () => {
        if (state === "frozen") run("fsfreeze", "--unfreeze", place);
        state = "after"; // it must not be frozen when the test is over
      };
      undo.push(thaw);
      return { path: device.path, freeze, thaw };
    }

    test("is left behind by the others, and goes on when it can", { timeout: 60_000 }, async () => {
      const slow = await freezable();
      const quick = await card();
      const gets: unknown[] = [];
      const counting: Pick<typeof manager, "get"> = {
        get: (...args) => {
          gets.push(args[2]?.range);
          return manager.get(...args);
        },
      };
      // The quick one has only begun, and has more to go than the two can be apart.
      const onProgress = ({ device, phase, percent }: DeviceProgress) => {
        if (device !== quick.path) return;
        if (phase === "writing" && !wasFrozen) slow.freeze();
        wasFrozen = true;
        if (phase === "verifying" && percent === 100) slow.thaw();
      };
      let wasFrozen = false;
      const results = await writeImage(counting, slug, version, [slow.path, quick.path], { onProgress });
      expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
      expect(await sha256Of(slow.path)).toBe(sha256);
      expect(await sha256Of(quick.path)).toBe(sha256);
      expect(gets).toEqual([undefined, { start: expect.any(Number) }]);
    });

    test("fails after deviceTimeoutMs, and harms no other", { timeout: 60_000 }, async () => {
      const hung = await freezable();
      const quick = await card();
      let wasFrozen = false;
      const onProgress = ({ device }: DeviceProgress) => {
        if (device !== hung.path || wasFrozen) return;
        wasFrozen = true;
        hung.freeze();
      };
      const options = { onProgress, deviceTimeoutMs: 1_000 };
      const [bad, good] = await writeImage(manager, slug, version, [hung.path, quick.path], options);
      hung.thaw();
      expect(bad).toMatchObject({
        status: "rejected",
        reason: { code: "STORE", cause: { code: "ETIMEDOUT" } },
      });
      expect(good).toMatchObject({ status: "fulfilled" });
      expect(await sha256Of(quick.path)).toBe(sha256);
      expect(isZero(await headOf(hung.path))).toBe(true);
    });
  });
});
