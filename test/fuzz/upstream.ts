// An upstream behind a `fetch`: it answers as balena's API does, unless a mutation changes what it was about to say.
import { createHash } from "node:crypto";
import { alias, type FileType, fileOf, releaseFilesOf, slug, versions } from "./images.ts";

/** What a request asks for. */
export type QuestionKind = "alias" | "versions" | "size" | "assets" | "contents" | "download" | "other";

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

/** The API's origin, and that of a release's files. */
export const origin = "https://api.example.com";
const filesOrigin = "https://files.example.com";

/** Makes one without faults; `hasParts`: it keeps images in parts too, as balena does now. */
export function createUpstream(hasParts: boolean): Upstream {
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
      const answer = honestAnswer(question, upstream.revision, hasParts);
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
  if (asked === filesOrigin) return pathname.endsWith(".json") ? "contents" : "download";
  if (asked !== origin) return "other";
  if (pathname === "/download") return "download";
  if (pathname === "/v7/device_type") return "alias";
  if (pathname === "/v7/application") return "versions";
  if (pathname === "/v7/release") return "assets";
  return pathname.endsWith("/download-size") ? "size" : "other";
}

function honestAnswer(question: Question, revision: 0 | 1, hasParts: boolean): Answer {
  const { kind, url } = question;
  if (kind === "assets") return jsonAnswer(200, hasParts ? assetRows(url, revision) : { d: [] });
  if (url.origin === filesOrigin) return releaseFileAnswer(question);
  if (kind === "download" || kind === "contents") return downloadAnswer(question, revision);
  if (kind === "other") return jsonAnswer(404, "Not found");
  return jsonAnswer(
    200,
    { alias: aliasRows, versions: versionRows, size: () => ({ size: 500_000 }) }[kind](url),
  );
}

const jsonAnswer = (status: number, value: unknown) =>
  answerOf(status, jsonBody(value), { "content-type": "application/json; charset=utf-8" });

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

/** The address of a file says the image and its revision: it goes on answering when there is another one. */
function assetRows({ search }: URL, revision: 0 | 1) {
  const asked = versions.find((version) => search.includes(`'${encodeURIComponent(version)}'`));
  if (!asked || !search.includes(`'${slug}'`)) return { d: [] };
  const files = releaseFilesOf({ deviceType: slug, version: asked, developmentMode: false, revision });
  const assets = files.map(({ key, bytes }) => ({
    asset_key: key,
    asset: {
      filename: key.split("/").at(-1),
      href: `${filesOrigin}/${revision}/${encodeURIComponent(asked)}/${key}?signature=x`,
      content_type: "application/octet-stream",
      size: bytes.length,
    },
  }));
  return { d: [{ id: 1, raw_version: asked, release_asset: assets }] };
}

function releaseFileAnswer({ url, headers }: Question): Answer {
  const [, revision, version = "", ...key] = url.pathname.split("/");
  const name = { deviceType: slug, version: decodeURIComponent(version), developmentMode: false };
  const files = releaseFilesOf({ ...name, revision: revision === "1" ? 1 : 0 });
  const file = files.find((one) => one.key === key.join("/"))?.bytes;
  if (!file) return answerOf(404, jsonBody("NoSuchKey"), { "content-type": "application/xml" });
  return fileAnswer(file, headers, { etag: etagOf(file), date: date() });
}

function downloadAnswer({ url, headers }: Question, revision: 0 | 1): Answer {
  const [query, developmentMode] = [url.searchParams, url.searchParams.get("developmentMode") === "true"];
  const name = { deviceType: query.get("deviceType") ?? "", version: query.get("version") ?? "" };
  const file = fileOf({ ...name, developmentMode, revision }, (query.get("fileType") ?? ".img") as FileType);
  if (!file) return jsonAnswer(404, "No such version");
  const lastModified = `Mon, 0${2 + revision} Mar 2026 04:05:06 GMT`;
  return fileAnswer(file, headers, { etag: etagOf(file), "last-modified": lastModified, date: date() });
}

function fileAnswer(file: Uint8Array<ArrayBuffer>, headers: Headers, facts: Record<string, string>): Answer {
  const [etag, ifMatch] = [facts["etag"], headers.get("if-match")];
  if (headers.get("if-none-match") === etag) return answerOf(304, new Uint8Array(0), facts);
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
