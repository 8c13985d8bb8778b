// An upstream behind a `fetch`: it answers as balena's API does, unless a mutation changes what it was about to say.
import { createHash } from "node:crypto";
import { alias, type FileType, fileOf, slug, versions } from "./images.ts";

/** What a request asks for. */
export type QuestionKind = "alias" | "versions" | "size" | "download" | "other";

/** A request as the upstream sees it. */
export interface Question {
  readonly kind: QuestionKind;
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  /** How many of this kind there were before. */
  readonly count: number;
}

/** An answer that is yet to be sent. Mutations change it in place. */
export interface Answer {
  status: number;
  readonly headers: Headers;
  body: Uint8Array<ArrayBuffer>;
  /** The file that the body is the whole or a part of. */
  file?: Uint8Array<ArrayBuffer>;
  /** How the body ends once it has been sent. */
  ending: "clean" | "lost" | "silent" | "endless";
  /** Bytes of each piece of the body. */
  pieceBytes: number;
  /** In place of an answer. */
  instead?: "nothing" | { readonly thrown: unknown };
}

/** Changes some of the answers. */
export interface AnswerMutation {
  readonly says: string;
  /** Whether it is this answer that it changes. */
  strikes(question: Question): boolean;
  change(answer: Answer, question: Question): void;
}

/** A running upstream. */
export interface Upstream {
  readonly fetch: typeof fetch;
  readonly mutations: AnswerMutation[];
  /** Which of the images it has. */
  revision: 0 | 1;
}

/** The API's origin. */
export const origin = "https://api.example.com";

/** Makes one without faults. */
export function createUpstream(): Upstream {
  const counts = new Map<QuestionKind, number>();
  const upstream: Upstream = {
    mutations: [],
    revision: 0,
    fetch: async (input, init) => {
      const url = new URL(String(input));
      const kind = kindOf(url);
      const count = counts.get(kind) ?? 0;
      counts.set(kind, count + 1);
      const { method = "GET", headers, signal } = init ?? {};
      const question = { kind, method, url, headers: new Headers(headers), count };
      const answer = honestAnswer(question, upstream.revision);
      for (const mutation of upstream.mutations)
        if (mutation.strikes(question)) mutation.change(answer, question);
      return send(answer, question, signal ?? undefined);
    },
  };
  return upstream;
}

/** The entity tag of a file. */
export function etagOf(file: Uint8Array): string {
  const known = etags.get(file) ?? `"${createHash("sha1").update(file).digest("hex")}"`;
  etags.set(file, known);
  return known;
}
const etags = new WeakMap<Uint8Array, string>();

/** A JSON answer. */
export function jsonBody(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

function kindOf({ origin: asked, pathname }: URL): QuestionKind {
  if (asked !== origin) return "other";
  if (pathname === "/download") return "download";
  if (pathname === "/v7/device_type") return "alias";
  if (pathname === "/v7/application") return "versions";
  return pathname.endsWith("/download-size") ? "size" : "other";
}

function honestAnswer(question: Question, revision: 0 | 1): Answer {
  const { kind, url } = question;
  if (kind === "download") return downloadAnswer(question, revision);
  if (kind === "other") return answerOf(404, jsonBody("Not found"), { "content-type": "application/json" });
  const value = { alias: aliasRows, versions: versionRows, size: () => ({ size: 500_000 }) }[kind](url);
  return answerOf(200, jsonBody(value), { "content-type": "application/json; charset=utf-8" });
}

function aliasRows({ search }: URL) {
  const isKnown = [slug, alias].some((name) => decodeURIComponent(search).includes(`'${name}'`));
  return { d: isKnown ? [{ slug }] : [] };
}

function versionRows({ search }: URL) {
  if (!decodeURIComponent(search).includes(`'${slug}'`)) return { d: [] };
  const releases = versions.map((raw_version) => ({
    ...{ raw_version, is_final: true, release_tag: [], phase: "current", variant: "" },
    created_at: "2026-01-02T03:04:05.000Z",
  }));
  return { d: [{ id: 1, application_tag: [], owns__release: releases }] };
}

function downloadAnswer({ url, headers }: Question, revision: 0 | 1): Answer {
  const [query, developmentMode] = [url.searchParams, url.searchParams.get("developmentMode") === "true"];
  const name = { deviceType: query.get("deviceType") ?? "", version: query.get("version") ?? "" };
  const file = fileOf({ ...name, developmentMode, revision }, (query.get("fileType") ?? ".img") as FileType);
  if (!file) return answerOf(404, jsonBody("No such version"), { "content-type": "application/json" });
  const etag = etagOf(file);
  const facts = { etag, "last-modified": `Mon, 0${2 + revision} Mar 2026 04:05:06 GMT`, date: date() };
  if (headers.get("if-none-match") === etag) return answerOf(304, new Uint8Array(0), facts);
  const ifMatch = headers.get("if-match");
  if (ifMatch !== null && ifMatch !== etag) return answerOf(412, new Uint8Array(0), {});
  const answer = rangeAnswer(file, headers, { ...facts, "content-type": "application/octet-stream" });
  return { ...answer, file };
}

function rangeAnswer(file: Uint8Array<ArrayBuffer>, headers: Headers, facts: Record<string, string>): Answer {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.get("range") ?? "") ?? [];
  const ifRange = headers.get("if-range");
  if (first === undefined || (ifRange !== null && ifRange !== facts["etag"]))
    return answerOf(200, file, facts);
  const [start, end] = [Number(first), Math.min(file.length, last ? Number(last) + 1 : file.length)];
  if (start >= file.length)
    return answerOf(416, new Uint8Array(0), { "content-range": `bytes */${file.length}` });
  const contentRange = `bytes ${start}-${end - 1}/${file.length}`;
  return answerOf(206, file.subarray(start, end), { ...facts, "content-range": contentRange });
}

const date = () => new Date().toUTCString();

function answerOf(status: number, body: Uint8Array<ArrayBuffer>, fields: Record<string, string>): Answer {
  const headers = new Headers(fields);
  if (status !== 304) headers.set("content-length", String(body.length));
  return { status, headers, body, ending: "clean", pieceBytes: 64 * 1024 };
}

async function send(answer: Answer, question: Question, signal: AbortSignal | undefined): Promise<Response> {
  signal?.throwIfAborted();
  if (answer.instead === "nothing") return new Promise((_, reject) => onAbort(signal, reject));
  if (answer.instead) throw answer.instead.thrown;
  const { status, headers } = answer;
  const hasBody = question.method !== "HEAD" && ![204, 205, 304].includes(status);
  return new Response(hasBody ? bodyOf(answer, signal) : null, { status, headers });
}

const yieldBytes = 32 * 1024;

function bodyOf({ body, ending, pieceBytes }: Answer, signal: AbortSignal | undefined) {
  let at = 0;
  const end: Record<Answer["ending"], (controller: ReadableStreamDefaultController) => unknown> = {
    clean: (controller) => controller.close(),
    lost: (controller) => controller.error(new TypeError("terminated")),
    silent: () => new Promise(() => {}),
    endless: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start: (controller) => onAbort(signal, (reason) => controller.error(reason)),
      async pull(controller) {
        // So that others get their turn, as between real packets.
        if (at % yieldBytes < pieceBytes) await new Promise(setImmediate);
        if (at >= body.length) return void (await end[ending](controller));
        controller.enqueue(body.slice(at, at + pieceBytes));
        at += pieceBytes;
      },
    },
    { highWaterMark: 0 },
  );
}

function onAbort(signal: AbortSignal | undefined, then: (reason: unknown) => void): void {
  signal?.addEventListener("abort", () => then(signal.reason), { once: true });
}
