// A loopback S3 in memory that misbehaves on demand. It checks no signatures: the real server of test/services does.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeEach } from "vitest";

/** One request, as the server saw it. */
export interface SeenRequest {
  readonly method: string;
  /** Name of the object; empty for the bucket. */
  readonly name: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** Answers in the server's stead, and says whether it did. */
export type Fault = (request: SeenRequest, response: ServerResponse) => boolean;

/** The server and its knobs, which are reset before each test. */
export interface FakeS3 {
  readonly url: string;
  readonly objects: Map<string, Buffer>;
  readonly requests: SeenRequest[];
  /** Asked in turn before a request takes effect; the first that returns `true` has answered. */
  faults: Fault[];
  /** The same, after it took effect. */
  lateFaults: Fault[];
  /** What becomes of `If-None-Match`. */
  condition: "kept" | "ignored" | 501 | 400;
  /** Whether it takes batches of deletions. */
  takesBatches: boolean;
  pageSize: number;
  /** How names are written in listings. */
  encoding: "url" | "xml";
}

const defaults = { condition: "kept", takesBatches: true, pageSize: 1000, encoding: "url" } as const;

/** Starts one for a test file. */
export async function sharedFakeS3(): Promise<FakeS3> {
  const s3 = { url: "", objects: new Map(), requests: [], faults: [], lateFaults: [], ...defaults } as FakeS3;
  const server = createServer((request, response) => void serve(s3, request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  Object.assign(s3, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  beforeEach(() => {
    s3.objects.clear();
    s3.requests.splice(0);
    Object.assign(s3, { faults: [], lateFaults: [], ...defaults });
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  return s3;
}

/** A fault that strikes the next so many requests of a method. */
export function times(count: number, method: string, answer: (response: ServerResponse) => unknown): Fault {
  let left = count;
  return (request, response) => {
    if (request.method !== method || left === 0) return false;
    left -= 1;
    answer(response);
    return true;
  };
}

/** Answers with an error as S3 words it; `true`, for faults. */
export function refuse(response: ServerResponse, status: number, code: string, message = "no"): boolean {
  response.writeHead(status, { "content-type": "application/xml" });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`);
  return true;
}

async function serve(s3: FakeS3, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(incoming.url ?? "", s3.url);
  const name = decodeURIComponent(url.pathname.replace(/^\/[^/]*\/?/, ""));
  const body = Buffer.concat(await incoming.toArray());
  const { method = "", headers } = incoming;
  const request = { method, name, query: url.searchParams, headers, body };
  s3.requests.push(request);
  if (s3.faults.some((fault) => fault(request, response))) return;
  const answer = answerTo(s3, request);
  if (s3.lateFaults.some((fault) => fault(request, response))) return;
  answer(response);
}

type Answer = (response: ServerResponse) => unknown;

const ok =
  (status: number, body: string | Buffer = ""): Answer =>
  (response) =>
    response.writeHead(status).end(body);
const no =
  (status: number, code: string): Answer =>
  (response) =>
    refuse(response, status, code);

function answerTo(s3: FakeS3, request: SeenRequest): Answer {
  const { method, name, query } = request;
  const found = s3.objects.get(name);
  if (method === "PUT") return put(s3, request);
  if (method === "DELETE") return deleteOne(s3, name);
  if (method === "POST" && query.has("delete")) return deleteBatch(s3, request);
  if (method === "GET" && name === "") return list(s3, query);
  if (found === undefined) return method === "HEAD" ? ok(404) : no(404, "NoSuchKey");
  return ok(200, found);
}

function put(s3: FakeS3, { name, headers, body }: SeenRequest): Answer {
  if (headers["if-none-match"] === "*" && s3.condition !== "ignored") {
    if (s3.condition !== "kept") return no(s3.condition, "NotImplemented");
    if (s3.objects.has(name)) return no(412, "PreconditionFailed");
  }
  s3.objects.set(name, body);
  return ok(200);
}

function deleteOne(s3: FakeS3, name: string): Answer {
  s3.objects.delete(name);
  return ok(204);
}

function deleteBatch(s3: FakeS3, { body }: SeenRequest): Answer {
  if (!s3.takesBatches) return no(400, "InvalidRequest");
  if (/&(?!#\d+;)/.test(body.toString())) return no(400, "MalformedXML");
  for (const [, name] of body.toString().matchAll(/<Key>(.*?)<\/Key>/gs))
    s3.objects.delete(unescaped(name ?? ""));
  return ok(200, '<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>');
}

function list({ objects, pageSize, encoding }: FakeS3, query: URLSearchParams): Answer {
  const after = query.get("continuation-token")?.replace(/^after /, "") ?? "";
  const all = [...objects.keys()].filter((name) => name.startsWith(query.get("prefix") ?? "")).sort();
  const rest = all.filter((name) => name > after);
  const page = rest.slice(0, pageSize);
  const isTruncated = rest.length > page.length;
  const encode = encoding === "url" ? encodeLikeAws : escaped;
  const keys = page.map((name) => `<Contents><Key>${encode(name)}</Key><Size>1</Size></Contents>`).join("");
  const next = isTruncated
    ? `<NextContinuationToken>after ${escaped(page.at(-1) ?? "")}</NextContinuationToken>`
    : "";
  const type = encoding === "url" ? "<EncodingType>url</EncodingType>" : "";
  return ok(
    200,
    `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="x">${type}${next}<IsTruncated>${isTruncated}</IsTruncated>${keys}</ListBucketResult>`,
  );
}

const encodeLikeAws = (name: string) => encodeURIComponent(name).replaceAll("%20", "+");
const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&#x22;");
const unescaped = (text: string) =>
  text.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));
