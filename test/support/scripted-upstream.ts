// An upstream that answers each download as a test scripts it, byte for byte: for bodies that no real image has.
import { gzipSync } from "node:zlib";
import type { ImageFile, ImageSource, OsVersion, ResolvedImage } from "../../src/core/index.ts";

/** A download as the script sees it. */
export interface ScriptedDownload {
  readonly url: URL;
  readonly headers: Headers;
  /** Counts from 0 over all downloads. */
  readonly count: number;
}

/** What a test scripts. */
export interface UpstreamScript {
  respond(download: ScriptedDownload): Response | Promise<Response>;
  /** What the source adds to its request. */
  readonly request?: Partial<ImageFile>;
  readonly source?: Partial<ImageSource>;
  readonly versions?: readonly OsVersion[];
}

/** A source and the `fetch` that belongs to it. */
export interface ScriptedUpstream {
  readonly source: ImageSource;
  readonly fetch: typeof fetch;
  readonly downloads: ScriptedDownload[];
}

/** The version that every scripted upstream has. */
export const scriptedVersion: OsVersion = { version: "1.0.0", line: "default", draft: false };

/** Makes one. */
export function scriptedUpstream(script: UpstreamScript): ScriptedUpstream {
  const downloads: ScriptedDownload[] = [];
  const fetchScripted = async (input: unknown, init?: RequestInit) => {
    const download = {
      url: new URL(String(input)),
      headers: new Headers(init?.headers),
      count: downloads.length,
    };
    downloads.push(download);
    return script.respond(download);
  };
  const source: ImageSource = {
    id: "https://api.example.com",
    resolveDeviceType: async (slugOrAlias) => slugOrAlias,
    versions: async () => [...(script.versions ?? [scriptedVersion])],
    request: async ({ fileType, variant }: ResolvedImage) => ({
      url: `https://api.example.com/download?fileType=${fileType}`,
      gzip: fileType === ".gz" && variant.fileType === undefined,
      ...script.request,
    }),
    ...script.source,
  };
  return { source, fetch: fetchScripted as typeof fetch, downloads };
}

/** A 200 with a Content-Length, as a plain file comes. */
export function fileResponse(body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Response {
  return new Response(body, { headers: { "content-length": String(body.length), ...headers } });
}

/** A 200 without one, as a chunked body comes. */
export function chunkedResponse(body: Uint8Array<ArrayBuffer>): Response {
  return new Response(body);
}

/** A gzip file of bytes. */
export function gzip(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gzipSync(bytes));
}

/** Bytes that look random, the same for the same seed; nothing in them is a hole. */
export function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  let x = seed | 0 || 1;
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[at] = x;
  }
  return bytes;
}
