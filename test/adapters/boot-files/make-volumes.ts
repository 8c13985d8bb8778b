// Makes volumes.json anew: empty FAT file systems by mkfs.fat (Debian's dosfstools), as the sectors that are not all zero.
// Run it by hand: `node test/adapters/boot-files/make-volumes.ts`.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MiB = 1024 * 1024;
const sectorBytes = 512;

const wanted: Record<string, { bytes: number; args: string[] }> = {
  "FAT12, clusters of 512 bytes": { bytes: 1 * MiB, args: ["-F12", "-s1"] },
  "FAT12, clusters of 4 KiB": { bytes: 8 * MiB, args: ["-F12", "-s8"] },
  "FAT16, clusters of 512 bytes": { bytes: 16 * MiB, args: ["-F16", "-s1"] },
  "FAT16, clusters of 2 KiB": { bytes: 40 * MiB, args: ["-F16", "-s4"] },
  "FAT16, one table": { bytes: 16 * MiB, args: ["-F16", "-s2", "-f1"] },
  "FAT32, clusters of 512 bytes": { bytes: 34 * MiB, args: ["-F32", "-s1"] },
};

const directory = mkdtempSync(join(tmpdir(), "volumes-"));
const volumes = Object.entries(wanted).map(([name, { bytes, args }]) => {
  const file = join(directory, "volume");
  writeFileSync(file, "");
  truncateSync(file, bytes);
  execFileSync("mkfs.fat", [...args, "-i", "12345678", "-n", "resin-boot", "--invariant", file]);
  return { name, bytes, sectors: sectorsOf(readFileSync(file)) };
});
rmSync(directory, { recursive: true });
const target = fileURLToPath(new URL("volumes.json", import.meta.url));
writeFileSync(target, `${JSON.stringify(volumes, null, 1)}\n`);

/** Sectors by their number, in base64. */
function sectorsOf(volume: Uint8Array): Record<number, string> {
  const found: Record<number, string> = {};
  for (let at = 0; at < volume.length; at += sectorBytes) {
    const sector = volume.subarray(at, at + sectorBytes);
    if (sector.some((byte) => byte !== 0)) found[at / sectorBytes] = Buffer.from(sector).toString("base64");
  }
  return found;
}
