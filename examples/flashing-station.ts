// Writes one image to several cards at once: sudo node flashing-station.ts raspberrypi4-64 6.x /dev/sdb /dev/sdc /dev/sdd /dev/sde
// Talks to balenaCloud as a guest, or to the API at BALENA_API_URL. Ctrl-C stops; cards that were not finished then have no partition table.
import { createImageManager } from "balena-image-manager";
import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
import { fsAdapter } from "balena-image-manager/adapters/fs";
import { type DeviceProgress, nodeHash, nodeInflate, writeImage } from "balena-image-manager/node";

const [deviceType = "raspberrypi4-64", wanted = "latest", ...devices] = process.argv.slice(2);

await using images = createImageManager({
  source: balenaApiSource({ apiUrl: process.env["BALENA_API_URL"] }),
  storage: fsAdapter({ base: process.env["IMAGE_CACHE"] ?? "./image-cache" }),
  inflate: nodeInflate,
  hash: nodeHash,
  sha256: true,
});
const stop = new AbortController();
process.once("SIGINT", () => stop.abort(new Error("Stopped")));

// First into the cache: then a slow card holds no other up.
const { version, sha256 } = await images.prefetch(deviceType, wanted, { signal: stop.signal });
console.log(`balenaOS ${version} for ${deviceType}, SHA-256 ${sha256 ?? "not known yet"}`);

/** A line for each tenth of each phase of each card. */
const told = new Map<string, number>();
function onProgress({ device, phase, percent = 0 }: DeviceProgress): void {
  const tenth = Math.floor(percent / 10);
  if (told.get(device + phase) === tenth) return;
  told.set(device + phase, tenth);
  console.log(`${device} ${phase} ${tenth * 10} %`);
}

const results = await writeImage(images, deviceType, version, devices, { onProgress, signal: stop.signal });
for (const [index, result] of results.entries()) {
  if (result.status === "fulfilled") console.log(`${devices[index]} done`);
  else console.error(`${devices[index]} FAILED: ${result.reason.message}`);
}
if (results.some(({ status }) => status === "rejected")) process.exitCode = 1;
