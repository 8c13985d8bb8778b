// The upstream of the benchmarks, in a process of its own: no side pays for serving itself.
import { type BalenaApi, repeatableImages, startBalenaApi } from "../test/support/balena-api/index.ts";
import { answerCalls } from "./calls.ts";
import { image } from "./image.ts";

/** How the upstream is to be. */
export interface UpstreamOptions {
  readonly imageBytes: number;
  readonly holeFree?: boolean;
  /** Files that are to be ready before the first download. Default: all that any side asks for. */
  readonly files?: readonly (".img" | ".gz")[];
}

/** What the measuring processes need to know. */
export interface UpstreamFacts {
  readonly url: string;
  readonly imageBytes: number;
  readonly gzBytes: number;
  readonly sha256: string;
}

/** What was asked and sent since the last `reset`. */
export interface Traffic {
  readonly requests: number;
  readonly transfers: number;
  readonly bytesSent: number;
}

let api: BalenaApi;

answerCalls(
  {
    async start({
      imageBytes,
      holeFree = false,
      files = [".img", ".gz"],
    }: UpstreamOptions): Promise<UpstreamFacts> {
      api = await startBalenaApi({ ...repeatableImages, imageBytes, holeFree, downloads: "with-validators" });
      const served = api.image(image.deviceType, image.version);
      for (const file of files) await served.prepare(file);
      const gzBytes = files.includes(".gz") ? await served.gzBytes() : 0;
      return { url: api.url, imageBytes: served.size, gzBytes, sha256: await served.sha256 };
    },
    /** Also makes the development variant's files. */
    async prepareDevelopment(): Promise<void> {
      await api.image(image.deviceType, image.version, { developmentMode: true }).prepare(".gz");
    },
    async limit(bytesPerSecond: number | undefined): Promise<void> {
      api.faults.linkBytesPerSecond = bytesPerSecond;
    },
    async reset(): Promise<void> {
      api.counters.reset();
    },
    async traffic(): Promise<Traffic> {
      const { requests, transfers, bytesSent } = api.counters;
      return { requests, transfers, bytesSent };
    },
  },
  async () => api?.close(),
);
