// The upstream of the benchmark, in a process of its own: no side pays for serving itself.
import { type BalenaApi, startBalenaApi } from "../../support/balena-api/index.ts";
import { answerCalls } from "./calls.ts";
import { image } from "./plan.ts";

/** What the measuring processes need to know. */
export interface UpstreamFacts {
  readonly url: string;
  readonly imageBytes: number;
  readonly sha256: string;
}

let api: BalenaApi | undefined;

answerCalls(
  {
    async start(imageBytes: number): Promise<UpstreamFacts> {
      api = await startBalenaApi({ imageBytes });
      const served = api.image(image.deviceType, image.version);
      await served.prepare(".img");
      return { url: api.url, imageBytes: served.size, sha256: await served.sha256 };
    },
    requests: async () => api?.counters.requests,
  },
  async () => api?.close(),
);
