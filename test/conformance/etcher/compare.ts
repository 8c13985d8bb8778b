// The loopback API's `/download` beside what balena's etcher-sdk makes of the same release assets, configuration and time: the same bytes.
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import Table from "cli-table3";
import { imageConfigOf } from "../../support/balena-api/image-maker.ts";
import { fixtureSlugs, startBalenaApi } from "../../support/balena-api/index.ts";
import type { MakeTask } from "./make-image.ts";

/** One image, made by both. */
export interface Comparison {
  readonly name: string;
  readonly query: string;
  readonly loopback: Made;
  readonly etcher: Made;
  readonly isEqual: boolean;
}

interface Made {
  readonly bytes: number;
  readonly sha256: string;
}

const images: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "as it was released": {},
  "for development": { developmentMode: "true" },
  "with Wi-Fi": { network: "wifi", wifiSsid: "Café 7", wifiKey: "correct horse" },
  "with an open Wi-Fi": { network: "wifi", wifiSsid: "open" },
  "with a fixed address": {
    ...{ network: "wifi", wifiSsid: "home", wifiKey: "correct horse" },
    ...{ ip: "10.0.0.5", netmask: "255.255.255.0", gateway: "10.0.0.1" },
  },
  "of a fleet": { appId: "1234567", appUpdatePollInterval: "15", developmentMode: "true" },
};
const imageSizes = [2, 64].map((mebibytes) => mebibytes * 1024 * 1024);
const version = "6.1.0";
const directory = fileURLToPath(new URL(".", import.meta.url));

/** Installs etcher-sdk, and compares every image. */
export async function compareWithEtcher(): Promise<Comparison[]> {
  const install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  await promisify(execFile)("npm", install, { cwd: directory });
  const comparisons: Comparison[] = [];
  for (const imageBytes of imageSizes) {
    await using api = await startBalenaApi({ imageBytes });
    for (const [name, query] of Object.entries(images))
      comparisons.push(await compare(api, `${name}, ${imageBytes / 2 ** 20} MiB`, query));
  }
  return comparisons;
}

/** The comparison to be read. */
export function comparisonTable(comparisons: readonly Comparison[]): string {
  const head = ["image", "bytes of the .gz", "loopback /download", "etcher-sdk", "the same"];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const { name, loopback, etcher, isEqual } of comparisons) {
    const sizes =
      loopback.bytes === etcher.bytes ? `${loopback.bytes}` : `${loopback.bytes}, ${etcher.bytes}`;
    table.push([
      name,
      sizes,
      loopback.sha256.slice(0, 12),
      etcher.sha256.slice(0, 12),
      isEqual ? "yes" : "NO",
    ]);
  }
  return table.toString();
}

type Api = Awaited<ReturnType<typeof startBalenaApi>>;

async function compare(api: Api, name: string, query: Readonly<Record<string, string>>): Promise<Comparison> {
  const now = new Date();
  api.faults.imageMakerClock = now;
  const parameters = { deviceType: fixtureSlugs.main, version, fileType: ".gz", ...query };
  const response = await fetch(`${api.url}/download?${new URLSearchParams(parameters)}`);
  const configuration = imageConfigOf(fixtureSlugs.main, query);
  const [loopback, etcher] = [
    madeOf(new Uint8Array(await response.arrayBuffer())),
    madeOf(
      await makeImage({
        urls: await linksOf(api),
        deviceType: fixtureSlugs.main,
        nowMs: now.getTime(),
        ...(configuration && { configuration }),
      }),
    ),
  ];
  return { name, query: String(response.url), loopback, etcher, isEqual: loopback.sha256 === etcher.sha256 };
}

async function makeImage(task: MakeTask): Promise<Uint8Array> {
  const script = fileURLToPath(new URL("make-image.ts", import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(JSON.stringify(task));
  return buffer(child.stdout);
}

async function linksOf({ url }: Api): Promise<Record<string, string>> {
  const ofType = `belongs_to__application/any(a:a/is_host eq true and a/is_for__device_type/any(dt:dt/slug eq '${fixtureSlugs.main}'))`;
  const filter = `raw_version eq '${version}' and ${ofType}`;
  const expand = "release_asset($select=asset_key,asset)";
  const response = await fetch(`${url}/v7/release?$select=id&$filter=${filter}&$expand=${expand}`);
  const { d } = (await response.json()) as {
    d: { release_asset: { asset_key: string; asset: { href: string } }[] }[];
  };
  return Object.fromEntries(d[0]!.release_asset.map(({ asset_key, asset }) => [asset_key, asset.href]));
}

function madeOf(content: Uint8Array): Made {
  return { bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
}
