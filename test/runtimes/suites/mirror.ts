// What a mirror and a site of it must do on every runtime: the image's bytes, packed on the line, each chunk once; development at the site.
import { mirrorSource } from "../../../src/adapters/mirror/index.ts";
import { createImageHandler } from "../../../src/core/http/index.ts";
import { slug } from "../../contract/source/support.ts";
import { deepEqual, equal, ok } from "./assert.ts";
import type { Bench } from "./manager.ts";

const version = "6.1.0";

export const mirrorCases: Record<string, (bench: Bench) => Promise<void>> = {
  "an image comes through a mirror, packed and once, and a development image costs nothing more": async ({
    api,
    manager,
  }) => {
    const freshness = { maxAgeMs: 60_000 };
    const mirror = createImageHandler(manager({ freshness, maxBytes: 1e9 }), { mirror: true });
    const line = { bytes: 0, chunks: 0 };
    const fetch = async (input: unknown, init?: RequestInit) => {
      const answer = await mirror(new Request(String(input), init));
      const body = await answer.arrayBuffer();
      line.bytes += body.byteLength;
      line.chunks += String(input).includes("/chunks/") ? 1 : 0;
      return new Response(answer.status === 304 ? null : body, answer);
    };
    const source = mirrorSource({
      url: "http://mirror.example/",
      sourceId: new URL(api.url).origin,
      fetch: fetch as typeof globalThis.fetch,
    });
    // Under a name of its own, the site has nothing of what its mirror has stored.
    const site = manager({ source, freshness, prefix: "site" });
    const image = await site.get(slug, version);
    deepEqual([image.origin, image.size], ["network", api.imageBytes]);
    equal(await sha256Of(image), await api.sha256(slug, version));
    ok(line.bytes < api.imageBytes, `${line.bytes} bytes on the line`);
    const { chunks } = line;
    const again = await site.get(slug, version, { developmentMode: true });
    deepEqual([again.origin, again.edited], ["cache", "repeatable"]);
    ok((await sha256Of(again)) !== (await api.sha256(slug, version)), "it is another image");
    equal(line.chunks, chunks);
  },
};

async function sha256Of(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const bytes = await new Response(stream).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
