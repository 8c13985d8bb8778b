// One request to a manager's handler, and whether its answer is one that HTTP and docs/serving.md allow.
import type { ImageManager } from "../../src/core/index.ts";
import { assertThat, assertTyped, Finding } from "./finding.ts";
import { createComparison, type Tolerance } from "./judge.ts";
import type { DrawnRequest } from "./mutations/requests.ts";

/** A manager and its handler. */
export interface Site {
  readonly manager: ImageManager;
  handler(request: Request): Promise<Response>;
}

const statuses = [200, 206, 302, 304, 400, 401, 404, 405, 412, 416, 499, 500, 501, 502, 503, 504];

/** Sends it, reads the answer and judges it. */
export async function answerRequest(site: Site, drawn: DrawnRequest, tolerance: Tolerance): Promise<void> {
  const client = new AbortController();
  const headers = drawn.init.headers.map(([name, value]): [string, string] => [name, value]);
  const url = `http://localhost${drawn.path}`;
  const request = new Request(url, { ...drawn.init, headers, signal: client.signal });
  const response = await site.handler(request);
  assertThat(statuses.includes(response.status), `it is answered with HTTP ${response.status}`);
  if (response.status >= 400) return assertProblem(response, drawn);
  if (!(drawn.init.method === "GET" && response.body && isImage(response))) return drain(response);
  await assertImage(response, new URL(url), tolerance, drawn.leavesAfterBytes);
  client.abort();
}

const isImage = ({ headers }: Response) => headers.get("accept-ranges") !== null;

async function assertProblem(response: Response, { init }: DrawnRequest): Promise<void> {
  const text = await response.text();
  if (init.method === "HEAD" || text === "") return;
  const { status, code } = JSON.parse(text) as Record<string, unknown>;
  assertThat(status === response.status, `a problem of status ${status} comes with HTTP ${response.status}`);
  // Nothing that a client sends, no value in the store and no answer of an upstream is a fault of the server's program.
  assertThat(response.status !== 500 || code === "INTEGRITY", `it is answered with a bare 500: ${text}`);
}

async function assertImage(
  response: Response,
  url: URL,
  tolerance: Tolerance,
  leavesAfterBytes: number | undefined,
): Promise<void> {
  const wanted = { variant: variantOf(url), ...spanOf(response), tolerance };
  const [, , deviceType = "", version = ""] = url.pathname.split("/").map(decodeURIComponent);
  const length = response.headers.get("content-length");
  // Nothing says where it comes from; only what is cached has an ETag.
  const comparison = createComparison(deviceType, version, wanted, !response.headers.has("etag"));
  try {
    for await (const piece of response.body!) {
      comparison.take(piece);
      if (leavesAfterBytes !== undefined && comparison.position() >= leavesAfterBytes) return;
    }
  } catch (failure) {
    return assertTyped("the body", failure);
  }
  comparison.end();
  const bytes = comparison.position();
  if (length !== null)
    assertThat(Number(length) === bytes, `the body has ${bytes} bytes, and says ${length}`);
}

function variantOf({ searchParams }: URL) {
  const fileType = searchParams.get("fileType") as ".img" | ".zip" | ".gz" | null;
  const developmentMode = searchParams.get("developmentMode") === "true";
  return { developmentMode, ...(fileType !== null && { fileType }) };
}

function spanOf(response: Response): { start?: number; end?: number } {
  if (response.status !== 206) return {};
  const [, first, last] =
    /^bytes (\d+)-(\d+)\/(?:\d+|\*)$/.exec(response.headers.get("content-range") ?? "") ?? [];
  if (first === undefined) throw new Finding(`a 206 says "${response.headers.get("content-range")}"`);
  return { start: Number(first), end: Number(last) + 1 };
}

async function drain(response: Response): Promise<void> {
  try {
    await response.arrayBuffer();
  } catch (failure) {
    assertTyped("the body", failure);
  }
}
