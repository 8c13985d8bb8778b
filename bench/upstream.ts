// The upstream of the benchmarks, in a process of its own: no side pays for serving itself.
import { type BalenaApi, repeatableImages, startBalenaApi } from "../test/support/balena-api/index.ts";
import { startThrottledProxy, type ThrottledProxy } from "../test/support/throttled-proxy.ts";
import { answerCalls } from "./calls.ts";
import { image } from "./image.ts";

/** How the upstream is to be. */
export interface UpstreamOptions {
  readonly imageBytes: number;
  readonly holeFree?: boolean;
  /** Files that are to be ready before the first download. Default: all that any side asks for. */
  readonly files?: readonly (".img" | ".gz")[];
  /** As balena: images in parts, and a `/download` without validators. Default: files with validators. */
  readonly asBalena?: boolean;
}

/** A line to the upstream, which all connections share. */
export interface LineOptions {
  readonly bytesPerSecond: number;
  /** Most of it that one connection gets. Default: all of it. */
  readonly connectionBytesPerSecond?: number;
  /** Wait before each answer. */
  readonly latencyMs: number;
}

/** What the measuring processes need to know. */
export interface UpstreamFacts {
  readonly url: string;
  /** Of an account that has a fleet. */
  readonly token: string;
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
let proxies: readonly [api: ThrottledProxy, files: ThrottledProxy] | undefined;

answerCalls(
  {
    async start({
      imageBytes,
      holeFree = false,
      files = [".img", ".gz"],
      asBalena = false,
    }: UpstreamOptions): Promise<UpstreamFacts> {
      const downloads = asBalena ? "as-balena" : "with-validators";
      api = await startBalenaApi({ ...repeatableImages, imageBytes, holeFree, downloads });
      const served = api.image(image.deviceType, image.version);
      for (const file of files) await served.prepare(file);
      const gzBytes = files.includes(".gz") ? await served.gzBytes() : 0;
      return {
        url: api.url,
        token: api.token,
        imageBytes: served.size,
        gzBytes,
        sha256: await served.sha256,
      };
    },
    /** Also makes the development variant's files. */
    async prepareDevelopment(): Promise<void> {
      await api.image(image.deviceType, image.version, { developmentMode: true }).prepare(".gz");
    },
    async limit(bytesPerSecond: number | undefined): Promise<void> {
      api.faults.linkBytesPerSecond = bytesPerSecond;
    },
    /** Origins of the API and of its files, and where each is found at the other end of the line. */
    async line({
      bytesPerSecond,
      connectionBytesPerSecond,
      latencyMs,
    }: LineOptions): Promise<[string, string][]> {
      const origins = [api.url, api.filesUrl];
      const portOf = (origin: string) => Number(new URL(origin).port);
      proxies ??= [
        await startThrottledProxy(portOf(api.url), bytesPerSecond),
        await startThrottledProxy(portOf(api.filesUrl), bytesPerSecond),
      ];
      for (const proxy of proxies) {
        proxy.bytesPerSecond = bytesPerSecond;
        proxy.connectionBytesPerSecond = connectionBytesPerSecond ?? Number.POSITIVE_INFINITY;
      }
      for (const faults of [api.faults, api.faults.assets, api.faults.metadata]) faults.latencyMs = latencyMs;
      return origins.map((origin, index) => [origin, `http://127.0.0.1:${proxies![index]!.port}`]);
    },
    async reset(): Promise<void> {
      api.counters.reset();
    },
    async traffic(): Promise<Traffic> {
      const { requests, transfers, bytesSent } = api.counters;
      return { requests, transfers, bytesSent };
    },
  },
  async () => {
    for (const proxy of proxies ?? []) proxy.close();
    await api?.close();
  },
);
