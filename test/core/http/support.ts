// A handler as the tests want it: over a test manager that has a `maxBytes`, with what it reported.
import { createImageHandler, type ImageHandlerOptions } from "../../../src/core/http/index.ts";
import { createTestManager, type TestManager, type TestManagerOptions } from "../../support/test-manager.ts";

/** A handler and what a test does with it. */
export interface TestHandler extends TestManager {
  /** Sends a request of a path. */
  send(path: string, init?: RequestInit): Promise<Response>;
  /** What `onError` was told. */
  readonly errors: unknown[];
}

/** Makes one. */
export function createTestHandler(
  api: { readonly url: string },
  options: TestManagerOptions = {},
  handlerOptions: ImageHandlerOptions = {},
): TestHandler {
  const made = createTestManager(api, { maxBytes: 1e9, ...options });
  const errors: unknown[] = [];
  const handler = createImageHandler(made.manager, {
    onError: (error) => void errors.push(error),
    ...handlerOptions,
  });
  const send = (path: string, init?: RequestInit) => handler(new Request(`http://localhost${path}`, init));
  return { ...made, send, errors };
}

/** A response's status and the header fields of these names. */
export function summaryOf(response: Response, ...names: string[]): Record<string, unknown> {
  const fields = names.map((name) => [name, response.headers.get(name)] as const);
  return { status: response.status, ...Object.fromEntries(fields.filter(([, value]) => value !== null)) };
}

/** Header fields that say what a body is. */
export const bodyFields = [
  "content-length",
  "content-range",
  "etag",
  "last-modified",
  "accept-ranges",
] as const;

/** The problem in a body. */
export async function problemIn(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>;
}

/** A response whose body stops after so many bytes until `release` is called. */
export function heldResponse(body: Uint8Array<ArrayBuffer>, heldAt: number, headers: HeadersInit = {}) {
  const gate = Promise.withResolvers<void>();
  const parts = [body.subarray(0, heldAt), body.subarray(heldAt)];
  let isCancelled = false;
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        if (parts.length === 1) await gate.promise;
        const part = parts.shift();
        if (isCancelled) return;
        if (part) controller.enqueue(part);
        else controller.close();
      },
      cancel() {
        isCancelled = true;
        gate.resolve();
      },
    },
    { highWaterMark: 0 },
  );
  const response = () =>
    new Response(stream, { headers: { "content-length": String(body.length), ...headers } });
  return { response, release: () => gate.resolve(), isCancelled: () => isCancelled };
}
