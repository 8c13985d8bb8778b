// The Worker of `entries/workerd-images.ts`, asked over real connections that may be left, and restarted over the same bucket.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Collected, collect } from "../../support/collect.ts";
import type { ImageQuestion } from "../entries/workerd-images.ts";
import { loadMiniflare } from "./miniflare.ts";

/** A running Worker with a bucket of its own. */
export interface ImagesWorker {
  /** Gets an image whole. */
  get(question: ImageQuestion): Promise<Collected & { readonly origin: string }>;
  /** Gets its first bytes and leaves. */
  leaveAfter(bytes: number, question: ImageQuestion): Promise<void>;
  /** Ends it whatever it is doing, and starts it anew. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

const limitMs = 30_000;

/** Starts one. */
export async function startImagesWorker(
  project: string,
  compatibilityFlags: string[],
): Promise<ImagesWorker> {
  const Miniflare = await loadMiniflare();
  const r2Persist = await mkdtemp(join(tmpdir(), "bucket-"));
  const script = await readFile(join(project, "workerd-images.mjs"), "utf8");
  const options = { modules: true as const, script, compatibilityDate: "2025-06-01", compatibilityFlags };
  const start = () => new Miniflare({ ...options, r2Buckets: ["BUCKET"], r2Persist });
  let miniflare = start();
  const ask = async (question: ImageQuestion, signal: AbortSignal) => {
    const url = new URL(`?${new URLSearchParams({ ask: JSON.stringify(question) })}`, await miniflare.ready);
    const response = await fetch(url, { signal });
    if (response.status !== 200 || !response.body)
      throw new Error(`${response.status}: ${await response.text()}`);
    return { origin: response.headers.get("x-origin") ?? "", body: response.body };
  };
  return {
    async get(question) {
      const { origin, body } = await ask(question, AbortSignal.timeout(limitMs));
      return { origin, ...(await collect(body)) };
    },
    async leaveAfter(bytes, question) {
      const leaving = new AbortController();
      const { body } = await ask(question, AbortSignal.any([leaving.signal, AbortSignal.timeout(limitMs)]));
      let received = 0;
      for await (const piece of body) {
        received += piece.length;
        if (received >= bytes) break;
      }
      leaving.abort();
    },
    async restart() {
      await miniflare.dispose();
      miniflare = start();
    },
    async close() {
      await miniflare.dispose();
      await rm(r2Persist, { recursive: true });
    },
  };
}
