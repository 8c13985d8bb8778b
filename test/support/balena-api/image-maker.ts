// Configures a boot partition as balena's image maker does: by `fatfs`, time stamps and all, but with a clock that can be set.
// balena's `balena-image-fs` is `fatfs` and an ext2 in WebAssembly, which takes over the process's uncaught exceptions: not loaded here.
import { promisify } from "node:util";
import { createFileSystem } from "fatfs";
import { sectorBytes } from "./disk-layout.ts";
import { stampChanges } from "./fat-stamps.ts";

/** What configures an image, as a download's query says it. */
export type ImageConfig = Readonly<Record<string, string | number | boolean>>;

/** The boot partition of a configured image, made at that time. `/config.json` is replaced, not merged. */
export async function configuredBoot(
  pristine: Uint8Array,
  config: ImageConfig,
  madeAt: Date,
): Promise<Uint8Array<ArrayBuffer>> {
  const content = Buffer.from(pristine);
  const { wifiSsid, wifiKey, ip, netmask, gateway, ...json } = config;
  const writeFile = await fileWriter(content);
  await writeFile("/config.json", JSON.stringify(json));
  if (wifiSsid !== undefined)
    await writeFile(
      "/system-connections/balena-wifi-01",
      wifiKeyfile({ wifiSsid, wifiKey, ip, netmask, gateway }),
    );
  return stampChanges(pristine, content, madeAt);
}

/** What a download's query asks to be configured; `undefined`: nothing, the image is the release's own. */
export function imageConfigOf(
  slug: string,
  query: Readonly<Record<string, string>>,
): ImageConfig | undefined {
  const chosen = Object.entries(query).filter(
    ([name, value]) => !notConfigured.includes(name) && value !== defaults[name],
  );
  if (chosen.length === 0) return undefined;
  const { appId, appUpdatePollInterval, network: _, ...others } = Object.fromEntries(chosen.sort(byName));
  return {
    deviceType: slug,
    ...(appId !== undefined && { applicationId: Number(appId) }),
    ...(appUpdatePollInterval !== undefined && {
      appUpdatePollInterval: Number(appUpdatePollInterval) * 60_000,
    }),
    ...Object.fromEntries(Object.entries(others).map(([name, value]) => [name, value === "true" || value])),
  };
}

const notConfigured = ["deviceType", "version", "fileType", "imageType"];
const defaults: Readonly<Record<string, string>> = { developmentMode: "false", network: "ethernet" };
const byName = ([a]: [string, string], [b]: [string, string]) => (a < b ? -1 : 1);

async function fileWriter(volume: Buffer): Promise<(path: string, content: string) => Promise<void>> {
  const fs = createFileSystem({
    sectorSize: sectorBytes,
    numSectors: volume.length / sectorBytes,
    readSectors(sector, into, done) {
      volume.copy(into, 0, sector * sectorBytes);
      done();
    },
    writeSectors(sector, from, done) {
      from.copy(volume, sector * sectorBytes);
      done();
    },
  });
  await new Promise<void>((resolve, reject) => {
    fs.on("ready", resolve);
    fs.on("error", reject);
  });
  return promisify(fs.writeFile);
}

/** A NetworkManager keyfile: sections apart by an empty line, no line end at the end. */
function wifiKeyfile({ wifiSsid, wifiKey, ip, netmask, gateway }: Record<string, unknown>): string {
  const address = ip && netmask && gateway && `address1=${ip}/${netmask},${gateway}`;
  const sections = [
    ["[connection]", "id=balena-wifi-01", "type=wifi"],
    ["[wifi]", "hidden=true", "mode=infrastructure", `ssid=${wifiSsid}`],
    ["[ipv4]", ...(address ? ["method=manual", address] : ["method=auto"])],
    ["[ipv6]", "addr-gen-mode=stable-privacy", "method=auto"],
    ...(wifiKey ? [["[wifi-security]", "auth-alg=open", "key-mgmt=wpa-psk", `psk=${wifiKey}`]] : []),
  ];
  return sections.map((lines) => lines.join("\n")).join("\n\n");
}
