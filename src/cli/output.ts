/** What people read: sizes, tables, and a bar while bytes come. */
import { SingleBar } from "cli-progress";
import type { Progress } from "../core/index.ts";

/** `1.9 GB`, of a thousand each. */
export function bytesText(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), 4);
  return `${(bytes / 1000 ** power).toFixed(power && 1)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}

/** Columns, two spaces apart. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  const padded = rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at]!)));
  return padded.map((row) => row.join("  ").trimEnd()).join("\n");
}

/** There is no bar in pipes and in CI. `stop` takes it away. */
export function createProgress(isQuiet: boolean | undefined) {
  if (isQuiet || !process.stderr.isTTY || process.env["CI"]) return { onProgress: undefined, stop() {} };
  const format = "{bar} {percentage} %  {bytes}  {rate}/s  {eta_formatted} left";
  const bar = new SingleBar({ format, stream: process.stderr, clearOnComplete: true, hideCursor: true });
  return {
    onProgress({ transferredBytes, percent = 0, bytesPerSecond }: Progress) {
      const payload = { bytes: bytesText(transferredBytes), rate: bytesText(bytesPerSecond) };
      if (bar.isActive) bar.update(Math.floor(percent), payload);
      else bar.start(100, Math.floor(percent), payload);
    },
    stop: () => bar.stop(),
  };
}
