// One side of the comparison: the image manager over a store, in a process of its own.
import { createHash } from "node:crypto";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { nodeHash } from "../../src/adapters/node/index.ts";
import {
  createImageManager,
  type ImageManager,
  type ImageStream,
  type StoreDriver,
} from "../../src/core/index.ts";
import { answerCalls } from "../calls.ts";
import { type Cost, measure } from "../measure.ts";
import type { UpstreamFacts } from "../upstream.ts";
import { image, openAdapter, type StorePlace } from "./plan.ts";

let upstream: UpstreamFacts;
let storage: StoreDriver | undefined;
let manager: ImageManager;

answerCalls(
  {
    async open(facts: { upstream: UpstreamFacts; place: StorePlace }): Promise<void> {
      upstream = facts.upstream;
      storage = openAdapter(facts.place);
      manager = createImageManager({
        source: balenaApiSource({ apiUrl: upstream.url }),
        storage,
        hash: nodeHash,
        freshness: { maxAgeMs: Number.POSITIVE_INFINITY },
      });
    },
    first: (): Promise<Cost> =>
      measure(async () => {
        const stream = await get("network");
        await drain(stream);
        if (!(await stream.committed())) throw new Error("The image was not committed");
      }),
    repeated: (): Promise<Cost> => measure(async () => drain(await get("cache"))),
    /** Outside of all times: that what comes out is the image. */
    async check(): Promise<void> {
      const hash = createHash("sha256");
      for await (const piece of await get("cache")) hash.update(piece);
      if (hash.digest("hex") !== upstream.sha256) throw new Error("The stored image is not the upstream's");
    },
    clear: () => manager.cleanCache(),
  },
  async () => {
    await manager?.close();
    await storage?.dispose?.();
  },
);

async function get(origin: ImageStream["origin"]): Promise<ImageStream> {
  const stream = await manager.get(image.deviceType, image.version, { fileType: image.fileType });
  if (stream.origin !== origin) throw new Error(`The image came from ${stream.origin}, not from ${origin}`);
  return stream;
}

async function drain(stream: ImageStream): Promise<void> {
  let bytes = 0;
  for await (const piece of stream) bytes += piece.length;
  if (bytes !== upstream.imageBytes) throw new Error(`${bytes} bytes came of ${upstream.imageBytes}`);
}
