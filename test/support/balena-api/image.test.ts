// The generated images: the same in every run, a fifth zero, 5:1 under gzip, variants apart by one small file.
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { layOut } from "./disk-layout.ts";
import { startBalenaApi } from "./index.ts";

const mebibyte = 1024 * 1024;
const api = await startBalenaApi();
const sameApi = await startBalenaApi();
afterAll(() => Promise.all([api.close(), sameApi.close()]));
const image = api.image("raspberrypi4-64", "6.1.0");
const bytes = image.bytes();

describe("image", () => {
  it("is the same in two servers, and in every run", async () => {
    expect(await image.sha256).toBe(await sameApi.image("raspberrypi4-64", "6.1.0").sha256);
    expect(await image.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(await image.sha256).toBe("db0d2e0670b59699900779f758d781e182d4409703144f15f67a0bc35472f049");
  });

  it.each([
    [0, 1],
    [511, 4097],
    [65_535, 65_537],
    [3 * mebibyte + 17, 4 * mebibyte + 5],
    [8 * mebibyte - 3, 8 * mebibyte],
  ])("gives bytes %i to %i as a slice of the whole", (start, end) => {
    expect(Buffer.compare(image.bytes(start, end), bytes.subarray(start, end))).toBe(0);
  });

  it("is a fifth zero, in long runs", () => {
    expect(share(bytes, (byte) => byte === 0)).toBeGreaterThan(0.19);
    expect(share(bytes, (byte) => byte === 0)).toBeLessThan(0.21);
    const holes = layOut(8 * mebibyte, false).holes;
    expect(holes.every(({ start, end }) => bytes.subarray(start, end).every((byte) => byte === 0))).toBe(
      true,
    );
  });

  it("has whole 4 MiB chunks of zeros if there is room, and none when hole-free", async () => {
    await using large = await startBalenaApi({ imageBytes: 64 * mebibyte });
    await using solid = await startBalenaApi({ imageBytes: 64 * mebibyte, holeFree: true });
    expect(zeroChunks(large.image("intel-nuc", "6.3.2").bytes())).toBe(2);
    expect(zeroChunks(solid.image("intel-nuc", "6.3.2").bytes())).toBe(0);
  });

  it("shrinks about five-fold as .gz", async () => {
    const ratio = bytes.length / (await image.gzBytes());
    expect(ratio).toBeGreaterThan(4.5);
    expect(ratio).toBeLessThan(5.5);
  });

  it("is a partitioned disk", () => {
    const view = new DataView(bytes.buffer);
    expect(view.getUint16(510, true)).toBe(0xaa55);
    const lastEnd = (view.getUint32(446 + 48 + 8, true) + view.getUint32(446 + 48 + 12, true)) * 512;
    expect(lastEnd).toBe(bytes.length);
  });

  it("differs from its development variant in a directory entry and a small file", async () => {
    const development = await api.image("raspberrypi4-64", "6.1.0", { developmentMode: true }).content();
    const places = differences(bytes, development);
    expect(development.length).toBe(bytes.length);
    expect(places.length).toBeGreaterThan(0);
    expect(new Set(places.map((place) => Math.floor(place / 512))).size).toBe(2);
    const production = api.image("raspberrypi4-64", "6.1.0", { developmentMode: false, fileType: ".gz" });
    expect(differences(bytes, production.bytes())).toHaveLength(0);
  });

  it.each([
    ["another version", api.image("raspberrypi4-64", "6.0.10")],
    ["another device type", api.image("intel-nuc", "6.1.0")],
    ["another image type", api.image("raspberrypi4-64", "6.1.0", { imageType: "flasher" })],
    ["another content revision", api.image("raspberrypi4-64", "6.1.0", {}, 1)],
  ])("differs from %s in most bytes", (_, other) => {
    expect(differences(bytes, other.bytes()).length / bytes.length).toBeGreaterThan(0.6);
  });

  it("takes any size", async () => {
    await using odd = await startBalenaApi({ imageBytes: mebibyte + 12_345 });
    const whole = odd.image("intel-nuc", "6.3.2");
    expect(whole.bytes().length).toBe(mebibyte + 12_345);
    const body = await (
      await fetch(`${odd.url}/download?deviceType=intel-nuc&version=6.3.2&fileType=.gz`)
    ).arrayBuffer();
    expect(Buffer.compare(gunzipSync(new Uint8Array(body)), whole.bytes())).toBe(0);
  });
});

function share(data: Uint8Array, test: (byte: number) => boolean): number {
  let count = 0;
  for (const byte of data) if (test(byte)) count++;
  return count / data.length;
}

function zeroChunks(data: Uint8Array): number {
  const starts = Array.from({ length: Math.floor(data.length / (4 * mebibyte)) }, (_, i) => i * 4 * mebibyte);
  const zeros = Buffer.alloc(4 * mebibyte);
  return starts.filter((start) => Buffer.compare(data.subarray(start, start + zeros.length), zeros) === 0)
    .length;
}

function differences(a: Uint8Array, b: Uint8Array): number[] {
  const places: number[] = [];
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) places.push(i);
  return places;
}
