/** Sends single requests to a mirror, unpacks the answers, and turns each failure into one of the library's errors. */
import { bounds } from "../../core/bounds.ts";
import { DeviceTypeNotFoundError, UnauthorizedError, VersionNotFoundError } from "../../core/errors.ts";
import { foreignError } from "../../core/foreign-error.ts";
import { readAtMost } from "../../core/read-at-most.ts";
import type { SourceOptions } from "../../core/types.ts";
import { unlessAborted } from "../../core/waiting.ts";
import { failureError } from "../balena/failure.ts";
import { usableToken } from "../balena/token.ts";
import type { CheckedOptions } from "./options.ts";

/** What is asked of a mirror. */
export interface Question extends SourceOptions {
  /** To follow "could not". */
  readonly action: string;
  /** Below `/mirror/v1`. */
  readonly path: string;
  /** Bytes that the unpacked answer may have. */
  readonly maxBytes: number;
  /** Answer 304 if it is still this one. */
  readonly etag?: string | undefined;
  /** The image that it is about. */
  readonly image?: { readonly deviceType: string; readonly version?: string };
}

/** What a mirror answered with 200, 202 or 304. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A mirror, and who asks it. */
export interface MirrorClient {
  /** What stands for the mirror and the credentials; it does not reveal them. */
  credentials(): Promise<string>;
  ask(question: Question): Promise<Answer>;
}

const packedType = "application/gzip";
/** What gzip may add to bytes that can't be packed. */
const packingBytes = 64 * 1024;

/** It does nothing until it is asked. */
export function mirrorClient({ base, token, fetch }: CheckedOptions): MirrorClient {
  return {
    credentials: async () => `${base}\n${(await currentToken(token)) ?? ""}`,
    async ask(question) {
      const { signal, action, image } = question;
      const secret = await unlessAborted(signal, () => currentToken(token));
      const failure = { apiOrigin: base, action, token: secret, deviceType: undefined };
      const answer = await unlessAborted(signal, () => send(fetch, base, secret, question)).catch((cause) => {
        signal?.throwIfAborted();
        throw failureError({ ...failure, cause });
      });
      const { status, headers, bytes } = answer;
      if (bytes === undefined)
        throw failureError({ ...failure, isEndless: true, cause: new Error("the answer is too large") });
      if ([200, 202, 304].includes(status)) return { status, headers, bytes };
      const problem = problemIn(bytes);
      if (image && problem.code === "DEVICE_TYPE_NOT_FOUND")
        throw new DeviceTypeNotFoundError(image.deviceType);
      if (image && problem.code === "VERSION_NOT_FOUND")
        throw new VersionNotFoundError(image.deviceType, image.version ?? "", problem.nearest);
      const words = status === 404 ? noMirror : problem.detail;
      throw failureError({ ...failure, status, headers, words, cause: new Error("the request was refused") });
    },
  };
}

const noMirror = 'there is nothing here. Is it the URL of a handler that has "mirror: true"?';

async function send(
  fetchFn: typeof fetch,
  base: string,
  token: string | undefined,
  { path, etag, maxBytes, signal, onBytes }: Question,
): Promise<Omit<Answer, "bytes"> & { readonly bytes: Answer["bytes"] | undefined }> {
  const headers = {
    prefer: "wait=3", // well within what a look-up may be silent for
    accept: `application/json, application/octet-stream, ${packedType}`,
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(etag !== undefined && { "if-none-match": etag }),
  };
  // A redirect counts as a failure: some runtimes would send the token along.
  const response = await fetchFn(`${base}/mirror/v1${path}`, {
    headers,
    signal: signal ?? null,
    redirect: "manual",
  });
  onBytes?.();
  const limit = response.ok ? maxBytes : bounds.errorPageBytes;
  // All of it is read at once: a body that waits half read for its reader ends the process on some releases of Node.
  const { bytes, isWhole } = await readAtMost(response.body, limit + packingBytes, { onBytes, signal });
  signal?.throwIfAborted();
  const facts = { status: response.status, headers: response.headers };
  if (!isWhole) return { ...facts, bytes: undefined };
  return { ...facts, bytes: await unpacked(bytes, response.headers.get("content-type"), limit) };
}

/** A mirror must not decide how much memory its answer takes. */
async function unpacked(bytes: Answer["bytes"], type: string | null, maxBytes: number) {
  const isPacked = type === packedType;
  const body = isPacked ? new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")) : undefined;
  const plain = body ? await readAtMost(body, maxBytes) : { bytes, isWhole: bytes.length <= maxBytes };
  return plain.isWhole ? plain.bytes : undefined;
}

/** What the mirror's handler says of a failure. Its words are its own, and fixed. */
function problemIn(bytes: Uint8Array): { code?: string; nearest?: string; detail?: string } {
  try {
    const { code, nearest, detail } = Object(JSON.parse(new TextDecoder().decode(bytes))) as Record<
      string,
      unknown
    >;
    const text = (value: unknown) =>
      typeof value === "string" ? value.slice(0, bounds.quotedCharacters) : undefined;
    return Object.fromEntries(
      Object.entries({ code: text(code), nearest: text(nearest), detail: text(detail) }).filter(
        ([, one]) => one,
      ),
    );
  } catch {
    return {};
  }
}

async function currentToken(ask: () => unknown): Promise<string | undefined> {
  let token: unknown;
  try {
    token = await ask();
  } catch (cause) {
    throw new UnauthorizedError("The token function failed", undefined, { cause: foreignError(cause) });
  }
  return usableToken(token);
}
