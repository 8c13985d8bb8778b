// Derived images beside etcher-sdk's, of every kind of boot partition and partition table.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Table from "cli-table3";
import { ensureInstalled } from "../../../../scripts/services/install.ts";
import {
  type Disk,
  type Format,
  formats,
  type Layout,
  layouts,
  makeDisk,
  plainLayout,
  usualFormat,
} from "./disks.ts";
import { faultsOf } from "./judge.ts";
import { makeBoth, type Wish } from "./makers.ts";
import { imageTools } from "./tools.ts";

/** One image, made by both and judged. */
export interface Judged {
  readonly name: string;
  readonly spanBytes: number;
  readonly faults: readonly string[];
}

const fleetConfig = {
  ...{ applicationId: 12, deviceType: "some-device", userId: 42, appUpdatePollInterval: 900_000 },
  ...{ listenPort: 48484, vpnPort: 443, apiEndpoint: "https://api.example", registryEndpoint: "r.example" },
  ...{ deltaEndpoint: "https://delta.example", vpnEndpoint: "vpn.example", developmentMode: true },
  apiKey: "0123456789abcdef0123456789abcdef",
};
const boot = (partition: unknown, path: string) => ({ partition, path });
const wifi = { network: "wifi", wifiSsid: "Café 7", wifiKey: "correct horse" } as const;

const wishes: readonly Wish[] = [
  { name: "for development", variant: { developmentMode: true } },
  { name: "with Wi-Fi", variant: wifi },
  { name: "with an open Wi-Fi", variant: { network: "wifi", wifiSsid: "open" } },
  {
    name: "with a fixed address",
    variant: { ...wifi, ip: "10.0.0.5", netmask: "255.255.255.0", gateway: "10.0.0.1" },
  },
  { name: "of a fleet", variant: { appId: 12, developmentMode: true }, fleetConfig },
  {
    name: "of a fleet, with Wi-Fi and a copied file",
    variant: { appId: 12, ...wifi },
    fleetConfig: { ...fleetConfig, pad: "x".repeat(6_000) },
    operations: [
      { command: "copy", from: boot(1, "/splash/balena-logo.png"), to: boot(1, "/copied.dtb") },
      { command: "copy", from: boot(1, "/a"), to: boot(1, "/b"), when: { network: "ethernet" } },
    ],
  },
];
const usualWish = wishes[5]!;

/** Makes and judges them all. */
export async function judgeDerivedImages(): Promise<Judged[]> {
  ensureInstalled(imageTools);
  const judged: Judged[] = [];
  for (const format of formats) judged.push(await judge(format, plainLayout, usualWish));
  for (const layout of layouts.filter((layout) => layout !== plainLayout))
    judged.push(await judge(usualFormat, layout, wishes[4]!));
  for (const wish of wishes.filter((wish) => wish !== usualWish))
    judged.push(await judge(usualFormat, plainLayout, wish));
  return judged;
}

/** What they came to, to be read. */
export function judgedTable(judged: readonly Judged[]): string {
  const head = ["image", "bytes laid over it", "as etcher-sdk's; fsck.vfat, mtools, balena-image-fs"];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const { name, spanBytes, faults } of judged)
    table.push([name, spanBytes, faults.length === 0 ? "yes" : `NO: ${faults.join("; ")}`]);
  return table.toString();
}

async function judge(format: Format, layout: Layout, wish: Wish): Promise<Judged> {
  const name = `${format.name}, ${layout.name}, ${wish.name}`;
  const directory = mkdtempSync(join(tmpdir(), "derived-"));
  try {
    mkdirSync(join(directory, "tree"));
    const disk: Disk = makeDisk(directory, format, layout);
    const partition =
      layout.number > 4 ? { primary: 4, logical: layout.number - 4 } : { primary: layout.number };
    const made = await makeBoth(disk, partition, wish);
    return { name, spanBytes: made.spanBytes, faults: faultsOf(directory, disk, made) };
  } catch (error) {
    return { name, spanBytes: 0, faults: [String(error)] };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
