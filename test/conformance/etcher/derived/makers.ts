// The same request, given to etcher-sdk and to us: a server has what both of them ask for.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { constants, crc32, deflateRawSync, gunzipSync } from "node:zlib";
import { balenaApiSource } from "../../../../src/adapters/balena-api/index.ts";
import { bootFiles } from "../../../../src/adapters/boot-files/index.ts";
import type { ImageEdit, ImageVariant } from "../../../../src/core/index.ts";
import type { MakeTask } from "../make-image.ts";
import type { Disk } from "./disks.ts";

/** A request for a configured image. */
export interface Wish {
  readonly name: string;
  readonly variant: ImageVariant;
  /** What `/download-config` answers, of a fleet. */
  readonly fleetConfig?: Readonly<Record<string, unknown>>;
  /** Of device-type.json. */
  readonly operations?: readonly unknown[];
}

/** Both images. */
export interface MadeImages {
  readonly etcher: Buffer;
  readonly ours: Buffer;
  /** Ours, if `config.json` is given as the text that etcher-sdk writes. */
  readonly replaced: Buffer;
  /** Bytes that were laid over the plain image. */
  readonly spanBytes: number;
  /** The values that etcher-sdk was given, without those that are about a network. */
  readonly sent: Readonly<Record<string, unknown>>;
}

const deviceType = "some-device";
const version = "6.1.0";

/** Has both make an image of a disk. */
export async function makeBoth(disk: Disk, partition: unknown, wish: Wish): Promise<MadeImages> {
  const { variant, fleetConfig, operations } = wish;
  const configuration = { config: { partition, path: "/config.json" }, ...(operations && { operations }) };
  const files = new Map<string, Uint8Array>([
    ["/device-types/v1/some-device", json({ slug: deviceType, yocto: {}, configuration })],
    ["/download-config", json(fleetConfig ?? {})],
    ["/device-type.json", json({ slug: deviceType, arch: "aarch64", yocto: {}, configuration })],
    ["/VERSION", Buffer.from("17.0.4")],
    ["/VERSION_HOSTOS", Buffer.from(version)],
    ...partsOf(disk),
  ]);
  const server = createServer((request, response) => {
    const file = files.get(request.url ?? "");
    response.writeHead(file ? 200 : 404, { "last-modified": new Date(0).toUTCString() }).end(file);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { wifiSsid, wifiKey, ip, gateway, netmask, developmentMode, appUpdatePollInterval } = variant;
    const own = {
      ...(developmentMode && { developmentMode }),
      ...(appUpdatePollInterval && { appUpdatePollInterval: appUpdatePollInterval * 60_000 }),
    };
    const sent = fleetConfig ?? own;
    const network = { wifiSsid, wifiKey, ip, gateway, netmask };
    const urls = Object.fromEntries([...files.keys()].map((path) => [path.slice(1), url + path]));
    const task = { urls, deviceType, nowMs: Date.now(), configuration: { ...sent, ...network } };
    const etcher = gunzipSync(await makeImage(task));
    return { etcher, ...(await derived(url, disk, variant)), ...(await replaced(disk, sent)), sent };
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** What our source makes. */
async function derived(url: string, disk: Disk, variant: ImageVariant) {
  const source = balenaApiSource({ apiUrl: url, token: "a-token" });
  const found = await source.derive!({ deviceType, version, variant, fileType: ".gz" });
  const { image: ours, spans } = await edited(disk, found!.edit);
  return { ours, spanBytes: spans.reduce((sum, { bytes }) => sum + bytes.length, 0) };
}

async function replaced(disk: Disk, sent: object) {
  const { image } = await edited(disk, bootFiles({ "config.json": JSON.stringify(sent) }));
  return { replaced: image };
}

/** The disk with an edit laid over it. */
export async function edited(disk: Disk, edit: ImageEdit) {
  const read = async (start: number, end: number) => new Uint8Array(disk.bytes.subarray(start, end));
  const { signal } = new AbortController();
  const spans = await edit({ size: disk.bytes.length, signal, read });
  const image = Buffer.from(disk.bytes);
  for (const { start, bytes } of spans) image.set(bytes, start);
  return { image, spans };
}

/** As balena's part cutter makes them. */
function partsOf({ bytes, pieces }: Disk): [string, Uint8Array][] {
  const parts = pieces.map(({ number, start, end }, index) => {
    const raw = bytes.subarray(start, end);
    const packed = deflateRawSync(raw, { finishFlush: constants.Z_SYNC_FLUSH, level: 1 });
    const entry = {
      filename: `part-${index}.deflate`,
      ...{ crc: crc32(raw), len: raw.length, zLen: packed.length },
      ...(number !== undefined && { partitionIndex: `(${number})` }),
    };
    return { entry, packed };
  });
  return [
    ["/image.json", json({ "resin.img": { parts: parts.map(({ entry }) => entry) } })],
    ...parts.map(({ entry, packed }) => [`/compressed/${entry.filename}`, packed] as [string, Uint8Array]),
  ];
}

async function makeImage(task: MakeTask): Promise<Uint8Array> {
  const script = fileURLToPath(new URL("../make-image.ts", import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(JSON.stringify(task));
  return buffer(child.stdout);
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
