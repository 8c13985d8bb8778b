// A process that gets an image once, over a line, and tells when the first byte and the last one came.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { balenaApiSource } from "../src/adapters/balena-api/index.ts";
import { fsAdapter } from "../src/adapters/fs/index.ts";
import { nodeHash, nodeInflate } from "../src/adapters/node/index.ts";
import { createImageManager, type ImageSource } from "../src/core/index.ts";
import { answerCalls } from "./calls.ts";
import { image } from "./image.ts";
import { measure } from "./measure.ts";
import type { UpstreamFacts } from "./upstream.ts";

/** How the image is got. */
export interface LineSide {
  readonly connections?: number;
  /** By `/download`, as if the release had no parts. */
  readonly isWhole?: boolean;
}

/** A get over a line. */
export interface LineGet {
  readonly upstream: UpstreamFacts;
  /** Where the upstream's origins are found at this end of the line. */
  readonly origins: readonly (readonly [origin: string, atLine: string])[];
  readonly side: LineSide;
}

/** Milliseconds from the call on; `cpuMs` of all threads. */
export interface LineTimes {
  readonly firstByteMs: number;
  readonly ms: number;
  readonly cpuMs: number;
}

let base: string | undefined;

answerCalls(
  {
    async get({ upstream, origins, side }: LineGet): Promise<LineTimes> {
      base = await mkdtemp(join(tmpdir(), "bench-"));
      const overLine: typeof fetch = (input, init) => {
        const url = String(input);
        const [origin = "", atLine = ""] = origins.find(([one]) => url.startsWith(one)) ?? [];
        return fetch(atLine + url.slice(origin.length), init);
      };
      const source = balenaApiSource({ apiUrl: upstream.url, configure: "upstream", fetch: overLine });
      await using manager = createImageManager({
        source: side.isWhole ? withoutParts(source) : source,
        storage: fsAdapter({ base }),
        connections: side.connections,
        inflate: nodeInflate,
        hash: nodeHash,
        fetch: overLine,
      });
      await manager.versions(image.deviceType); // both ways need them
      let firstByteMs = Number.NaN;
      const startedMs = performance.now();
      const { ms, cpuMs } = await measure(async () => {
        const stream = await manager.get(image.deviceType, image.version);
        for await (const _ of stream) firstByteMs ||= performance.now() - startedMs;
        if (!(await stream.committed())) throw new Error("The image was not committed");
      });
      return { firstByteMs, ms, cpuMs };
    },
  },
  async () => {
    if (base !== undefined) await rm(base, { recursive: true, force: true, maxRetries: 5 });
  },
);

function withoutParts(source: ImageSource): ImageSource {
  return { ...source, request: (asked) => source.request({ ...asked, isWhole: true }) };
}
