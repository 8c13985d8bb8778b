// Writes what a fleet run took as lines for people, and says whether it is what was promised.
import type { FleetReport, Traffic } from "./run.ts";

/** Most bytes that may be laid over one image. */
export const maxSpanBytes = 64 * 1024;

/** Whether all that does not depend on the machine is as promised. */
export function isGood({ fleet, development, spanBytes, wrong, secrets }: FleetReport): boolean {
  const isFree = fleet.imageBytes === 0 && development.imageBytes === 0;
  return isFree && Math.max(...spanBytes) <= maxSpanBytes && wrong.length + secrets.found.length === 0;
}

/** A line for each fact. */
export function fleetReportLines(report: FleetReport): string[] {
  const { first, fleet, development, pairs, spanBytes, wrong, secrets } = report;
  const [plain, edited] = [median(pairs.map((pair) => pair.plain)), median(pairs.map((pair) => pair.edited))];
  const ratio = median(pairs.map((pair) => pair.edited / pair.plain));
  const { startBytes, peakBytes } = report.memory;
  return [
    `The plain image:         ${traffic(first)}`,
    `${grouped(spanBytes.length)} configured images: ${traffic(fleet)}; ${grouped(report.keys)} provisioning keys made`,
    `Development after that:  ${traffic(development)}`,
    `Laid over each image:    ${grouped(median(spanBytes))} bytes, at most ${grouped(Math.max(...spanBytes))}`,
    `Seconds for each:        ${edited.toFixed(3)}, and ${plain.toFixed(3)} for the plain cached image right before (${ratio.toFixed(2)} times, the median of ${pairs.length}; the API that makes the keys shares the processors)`,
    `Memory:                  ${megabytes(peakBytes)} MB at most, ${megabytes(startBytes)} MB before them; the API's part is in it`,
    `Read back by balena's own reader: ${wrong.length === 0 ? "all as asked for" : `WRONG: ${wrong.join(", ")}`}`,
    `Secrets in ${grouped(secrets.files)} stored files (${grouped(secrets.bytes)} bytes), ${grouped(secrets.told)} events and errors: ${secrets.found.length === 0 ? "none" : secrets.found.join(", ")}`,
  ];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

const traffic = ({ requests, imageBytes }: Traffic) =>
  `${grouped(requests)} requests, ${grouped(imageBytes)} bytes of image`;
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
const grouped = (count: number) => count.toLocaleString("en");
