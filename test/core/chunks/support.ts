// A source that answers with chunks, as a mirror does, and notes which of them are asked for.
import { createHash } from "node:crypto";
import type { ImageChunks, ImageSource } from "../../../src/core/index.ts";
import { noise, scriptedVersion } from "../../support/scripted-upstream.ts";
import { slug } from "../../support/shared-api.ts";
import { chunkBytes } from "../../support/test-manager.ts";

export { chunkBytes, slug };
export const { version } = scriptedVersion;

/** An image of noise whose fourth chunk is a hole, and whose last one is short. `seeds`: of each chunk, in place of its index. */
export function contentOf(
  chunks: number,
  seeds: Readonly<Record<number, number>> = {},
): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(chunks * chunkBytes - 1000);
  for (let index = 0; index < chunks; index++) {
    if (index === 3) continue;
    const bytes = noise(chunkBytes, seeds[index] ?? index + 1);
    content.set(bytes.subarray(0, content.length - index * chunkBytes), index * chunkBytes);
  }
  return content;
}

/** Where the content may be replaced, and the answers be changed. */
export interface ChunkedUpstream {
  readonly source: ImageSource;
  /** Digests of the chunks that were asked for. */
  readonly asked: string[];
  requests: number;
  content: Uint8Array<ArrayBuffer>;
  /** What the source says in place of the truth. */
  said: Partial<ImageChunks>;
  /** Called for each chunk; what it returns is handed out. */
  chunk: (
    bytes: Uint8Array<ArrayBuffer>,
    options: Parameters<ImageChunks["chunk"]>[1],
  ) => Promise<Uint8Array>;
}

/** Makes one. */
export function chunkedUpstream(
  content: Uint8Array<ArrayBuffer>,
  bytesOfChunk = chunkBytes,
): ChunkedUpstream {
  const upstream: ChunkedUpstream = {
    asked: [],
    requests: 0,
    content,
    said: {},
    chunk: async (bytes) => bytes,
    source: {
      id: "https://api.example.com",
      resolveDeviceType: async (slugOrAlias) => slugOrAlias,
      versions: async () => [scriptedVersion],
      async request() {
        upstream.requests += 1;
        const { digests, byDigest } = chunksOf(upstream.content, bytesOfChunk);
        return {
          size: upstream.content.length,
          chunkBytes: bytesOfChunk,
          digests,
          async chunk(digest, options) {
            upstream.asked.push(digest);
            return upstream.chunk(byDigest.get(digest)!.slice(), options);
          },
          ...upstream.said,
        };
      },
    },
  };
  return upstream;
}

function chunksOf(content: Uint8Array<ArrayBuffer>, bytesOfChunk: number) {
  const byDigest = new Map<string, Uint8Array<ArrayBuffer>>();
  const digests: (string | null)[] = [];
  for (let at = 0; at < content.length; at += bytesOfChunk) {
    const bytes = content.slice(at, at + bytesOfChunk);
    const digest = bytes.every((byte) => byte === 0)
      ? null
      : createHash("sha256").update(bytes).digest("hex");
    digests.push(digest);
    if (digest) byDigest.set(digest, bytes);
  }
  return { digests, byDigest };
}
