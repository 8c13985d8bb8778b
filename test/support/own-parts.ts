// A source of one's own whose images are in parts, and a `fetch` that serves them from memory, as strict as an object store.
import { constants, crc32, deflateRawSync } from "node:zlib";
import type { ImagePart, ImageSource } from "../../src/core/index.ts";
import { createTestManager, type TestManager, type TestManagerOptions } from "./test-manager.ts";

/** Bytes that deflate does not shrink, the same each time. */
export const noise = (length: number, seed = 1): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
};

/** A part as balena makes it: a sync flush at the end, and no final block. */
export const deflated = (bytes: Uint8Array): Uint8Array =>
  deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });

/** Parts of so many bytes each, and what is at their addresses. */
export function cut(
  bytes: Uint8Array,
  partBytes = 100_000,
  encoding: ImagePart["encoding"] = "deflate-raw",
): { parts: ImagePart[]; files: Map<string, Uint8Array> } {
  const files = new Map<string, Uint8Array>();
  const parts: ImagePart[] = [];
  for (let at = 0; at < bytes.length; at += partBytes) {
    const raw = bytes.subarray(at, at + partBytes);
    const name = `part-${parts.length}`;
    const wire = encoding === "identity" ? raw : deflated(raw);
    files.set(`/${name}`, wire);
    const sizes = { wireBytes: wire.length, bytes: raw.length, crc32: crc32(raw) };
    parts.push({ name, url: `http://parts.example/${name}`, encoding, ...sizes });
  }
  return { parts, files };
}

/** What is asked of the files, in order. */
export interface AskedPart {
  readonly path: string;
  readonly headers: Headers;
}

/** A `fetch` of these files: ranges, a strong ETag (made of the bytes), If-Match heard, If-Range not. */
export function serving(files: ReadonlyMap<string, Uint8Array>): { fetch: typeof fetch; asked: AskedPart[] } {
  const asked: AskedPart[] = [];
  return {
    asked,
    fetch: async (input, init) => {
      const path = new URL(String(input)).pathname;
      const headers = new Headers(init?.headers);
      asked.push({ path, headers });
      const file = files.get(path);
      if (!file) return new Response("", { status: 404 });
      const etag = `"${crc32(file)}"`;
      const match = headers.get("if-match");
      if (match !== null && match !== etag) return new Response("", { status: 412 });
      const [, from, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.get("range") ?? "") ?? [];
      if (from === undefined) return answer(file, 200, { etag });
      const start = Number(from);
      if (start >= file.length) return new Response("", { status: 416 });
      const end = Math.min(file.length, last ? Number(last) + 1 : file.length);
      const range = `bytes ${start}-${end - 1}/${file.length}`;
      return answer(file.subarray(start, end), 206, { etag, "content-range": range });
    },
  };
}

function answer(bytes: Uint8Array, status: number, headers: Record<string, string>): Response {
  const body = new Uint8Array(bytes);
  return new Response(body, { status, headers: { ...headers, "content-length": String(body.length) } });
}

/** A source that answers every request with what `parts` is by then. */
export function partsSource(list: { parts: unknown }): ImageSource {
  return {
    id: "http://parts.example",
    resolveDeviceType: async (slug) => slug,
    versions: async () => [{ version: "1.0.0", line: "default", draft: false }],
    request: async () => ({ parts: list.parts }) as never,
  };
}

/** A manager over such a source. */
export function managerOver(
  list: { parts: unknown },
  fetchParts: typeof fetch,
  options: TestManagerOptions = {},
): TestManager {
  const source = partsSource(list);
  return createTestManager({ url: source.id }, { source, fetch: fetchParts, ...options });
}
