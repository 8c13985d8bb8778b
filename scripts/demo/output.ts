// How the demo speaks: a bar while a get runs (on a terminal only), a line when it ends, a table at the end.
import { SingleBar } from "cli-progress";
import Table from "cli-table3";
import type { Progress } from "../../src/core/index.ts";
import type { Measurement } from "./measure.ts";

/** A progress bar that is wiped off when it stops; nothing where stdout is no terminal. */
export function createProgressBar(name: string) {
  const format = `${name} [{bar}] {percentage}% {done} of {size} MB, {rate} MB/s, {left} s left`;
  const bar = new SingleBar({ format, stream: process.stdout, clearOnComplete: true, hideCursor: true });
  bar.start(1, 0, { done: "0", size: "?", rate: "0", left: "?" });
  return {
    update({ transferredBytes, totalBytes, etaMs, bytesPerSecond }: Progress) {
      if (totalBytes !== undefined) bar.setTotal(totalBytes);
      bar.update(totalBytes === undefined ? 0 : transferredBytes, {
        done: megabytes(transferredBytes),
        size: totalBytes === undefined ? "?" : megabytes(totalBytes),
        rate: megabytes(bytesPerSecond),
        left: etaMs === undefined ? "?" : Math.ceil(etaMs / 1000),
      });
    },
    stop: () => bar.stop(),
  };
}

/** Says in a line how a get went. */
export function printLine({ name, image, origin, bytes, seconds }: Measurement): void {
  const size = `${megabytes(bytes)} MB in ${seconds.toFixed(2)} s`;
  process.stdout.write(`${name}: ${image} from ${origin}, ${size}\n`);
}

/** A column for each get. */
export function renderTable(measurements: readonly Measurement[]): string {
  const table = new Table({
    head: ["", ...measurements.map(({ name }) => name)],
    style: process.stdout.isTTY ? {} : { head: [], border: [] },
  });
  for (const [label, cell] of rows) table.push([label, ...measurements.map(cell)]);
  return table.toString();
}

const rows: readonly [label: string, cell: (measurement: Measurement) => string][] = [
  ["origin", ({ origin }) => origin],
  ["bytes", ({ bytes }) => grouped(bytes)],
  ["bytes on the wire", ({ wireBytes }) => grouped(wireBytes)],
  ["seconds", ({ seconds }) => seconds.toFixed(2)],
  ["MB/s", ({ bytes, seconds }) => megabytes(bytes / seconds)],
  ["requests made", ({ requests }) => grouped(requests)],
  ["bytes in the store", ({ storedBytes }) => grouped(storedBytes)],
  // In four lines, so that three columns fit on 80 characters.
  ["SHA-256", ({ sha256 }) => sha256.replace(/.{16}(?!$)/g, "$&\n")],
  [
    "as the API has it",
    ({ isExpected }) => (isExpected === undefined ? "not known" : isExpected ? "yes" : "NO"),
  ],
];

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
const grouped = (count: number) => count.toLocaleString("en");
