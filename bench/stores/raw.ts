// The other side: the bare client, which moves the same chunks and neither hashes nor checks them.
import { createHash } from "node:crypto";
import { answerCalls } from "../calls.ts";
import { type Cost, measure } from "../measure.ts";
import { fetchImage } from "../subjects/bytes.ts";
import type { UpstreamFacts } from "../upstream.ts";
import { atOnce, chunkBytesIn, image, openAdapter, type StorePlace } from "./plan.ts";
import { openRawClient, type RawClient } from "./raw-clients.ts";

let upstream: UpstreamFacts;
let client: RawClient | undefined;
/** All chunks but holes, by their keys. */
const chunks = new Map<string, Uint8Array<ArrayBuffer>>();

answerCalls(
  {
    async open(facts: { upstream: UpstreamFacts; place: StorePlace }): Promise<void> {
      upstream = facts.upstream;
      client = await openRawClient(facts.place);
      const raw = new Uint8Array(await (await fetchImage({ upstream }, image.fileType)).arrayBuffer());
      const chunkBytes = chunkBytesIn(openAdapter(facts.place));
      for (let at = 0; at < raw.length; at += chunkBytes) {
        const bytes = raw.slice(at, at + chunkBytes);
        if (bytes.some((byte) => byte !== 0))
          chunks.set(createHash("sha256").update(bytes).digest("hex"), bytes);
      }
    },
    /** What fetching alone takes: no first get can be faster. */
    floor: (): Promise<Cost> =>
      measure(async () => {
        for await (const _ of (await fetchImage({ upstream }, image.fileType)).body!);
      }),
    write: (): Promise<Cost> => measure(() => eachChunk((key, bytes) => client!.write(key, bytes))),
    read: (): Promise<Cost> =>
      measure(() =>
        eachChunk(async (key, bytes) => {
          if ((await client!.read(key)) !== bytes.length) throw new Error("A chunk came back short");
        }),
      ),
    clear: () => eachChunk((key) => client!.remove(key)),
  },
  async () => client?.close(),
);

/** So many at a time, each next one as soon as there is room. */
async function eachChunk(
  move: (key: string, bytes: Uint8Array<ArrayBuffer>) => Promise<void>,
): Promise<void> {
  const left = chunks.entries();
  const mover = async () => {
    for (const [key, bytes] of left) await move(key, bytes);
  };
  await Promise.all(Array.from({ length: atOnce }, mover));
}
