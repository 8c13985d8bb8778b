// Reads the benchmark's command line.
import { parseArgs } from "node:util";

const usage = `usage: npm run bench -- [--size MiB] [--link Mbit/s] [--connection Mbit/s] [--rounds n] [--large MiB] [--servers]
                    [--parts link,first,…] [--json FILE] [--chart FILE] [--curves FILE]

  --size     size of the image, default 512
  --link     speed of the bounded link, default 200
  --connection  most that one connection gets where connections are limited, default 80
  --rounds   of each figure the median is taken, default 5
  --large    size of the largest image of the growth part, and up to 4096 of the memory part, default 4096
  --servers  then also measure Redis and S3, on servers that are installed and started for it
  --parts    only these: link, balena, first, repeated, ranges, readers, pair, configured, memory, counts, bundle, runtimes,
             growth, scale, servers, far
  --json, --chart, --curves  where to write all figures, the chart of times, the chart of growth`;

/** What is to be measured. */
export interface BenchOptions {
  readonly imageBytes: number;
  readonly linkBytesPerSecond: number;
  readonly connectionBytesPerSecond: number;
  readonly rounds: number;
  readonly largeBytes: number;
  readonly withServers: boolean;
  readonly parts: readonly string[] | undefined;
  readonly json: string | undefined;
  readonly chart: string | undefined;
  readonly curves: string | undefined;
}

const MiB = 1024 * 1024;

/** @throws an error that shows the usage. */
export function parseBenchOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      ...{ size: { type: "string", default: "512" }, link: { type: "string", default: "200" } },
      ...{ rounds: { type: "string", default: "5" }, large: { type: "string", default: "4096" } },
      connection: { type: "string", default: "80" },
      ...{ servers: { type: "boolean", default: false }, parts: { type: "string" } },
      ...{ json: { type: "string" }, chart: { type: "string" } },
      curves: { type: "string" },
    } as const,
  });
  return {
    imageBytes: wholeNumber("size", values.size, 16) * MiB,
    linkBytesPerSecond: (wholeNumber("link", values.link, 1) * 1e6) / 8,
    connectionBytesPerSecond: (wholeNumber("connection", values.connection, 1) * 1e6) / 8,
    rounds: wholeNumber("rounds", values.rounds, 1),
    largeBytes: wholeNumber("large", values.large, 256) * MiB,
    withServers: values.servers,
    parts: values.parts?.split(","),
    json: values.json,
    chart: values.chart,
    curves: values.curves,
  };
}

function wholeNumber(name: string, text: string, min: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw new Error(`--${name} must be a whole number from ${min}\n${usage}`);
}
