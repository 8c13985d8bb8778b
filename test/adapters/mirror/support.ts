// A mirror on loopback: a manager of its own behind the real handler and server; and sites that count what comes over the line.
import { onTestFinished } from "vitest";
import { mirrorSource } from "../../../src/adapters/mirror/index.ts";
import { serve } from "../../../src/adapters/node/index.ts";
import { createImageHandler, type ImageHandlerOptions } from "../../../src/core/http/index.ts";
import type { ImageSource } from "../../../src/core/index.ts";
import { createTestManager, type TestManagerOptions } from "../../support/test-manager.ts";

/** Starts one over a source; `unreachable` ends it. */
export async function startMirror(
  source: ImageSource,
  options: TestManagerOptions = {},
  handlerOptions: ImageHandlerOptions = {},
) {
  const { manager, storage, ...rest } = createTestManager({ url: "" }, { maxBytes: 1e9, source, ...options });
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const handler = createImageHandler(manager, { mirror: true, onError, ...handlerOptions });
  const server = await serve(handler, { port: 0, closeTimeoutMs: 0 });
  const close = () => server.close();
  onTestFinished(async () => {
    await close();
    await manager.close();
  });
  return {
    ...rest,
    manager,
    storage,
    handler,
    errors,
    url: server.url,
    sourceId: source.id,
    unreachable: close,
  };
}

/** One answer that came over the line. */
export interface Answer {
  /** Path and query below the mirror's. */
  readonly path: string;
  readonly status: number;
  readonly bytes: number;
}

/** A `fetch` that notes what comes. */
export function countingFetch(answers: Answer[]): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    const body = await response.bytes();
    const path = String(input).replace(/^.*\/mirror\/v1/, "");
    answers.push({ path, status: response.status, bytes: body.length });
    const { status, headers } = response;
    return new Response(status === 304 ? null : body, { status, headers });
  };
}

/** A manager at a site of the mirror, with all that came over its line. */
export function startSite(
  mirror: { readonly url: string; readonly sourceId: string },
  { token, ...options }: TestManagerOptions = {},
) {
  const line: Answer[] = [];
  const { url, sourceId } = mirror;
  const source = mirrorSource({
    url,
    sourceId,
    fetch: countingFetch(line),
    ...(token !== undefined && { token }),
  });
  const fetch = () => Promise.reject(new Error("nothing may be downloaded as a file"));
  const made = createTestManager({ url: "" }, { source, fetch, ...options });
  onTestFinished(() => made.manager.close());
  const chunks = () => line.filter(({ path }) => path.includes("/chunks/"));
  const bytes = () => line.reduce((sum, answer) => sum + answer.bytes, 0);
  return { ...made, source, line, chunks, bytes };
}
