/** Sends single requests to a balena API, and turns each failure into one of the library's errors. */
import { bounds } from "../../core/bounds.ts";
import {
  type ImageManagerError,
  isImageManagerError,
  UnauthorizedError,
  UpstreamError,
} from "../../core/errors.ts";
import { foreignError } from "../../core/foreign-error.ts";
import { readAtMost } from "../../core/read-at-most.ts";
import { wordsOf } from "../../core/upstream/server-words.ts";
import { unlessAborted } from "../../core/waiting.ts";
import { type Failure, failureError } from "../balena/failure.ts";
import { usableToken } from "../balena/token.ts";

import type { CheckedOptions } from "./options.ts";

/** What is asked of the API. */
export interface Question {
  /** To follow "could not". */
  readonly action: string;
  /** Path and query at the API. */
  readonly path?: string;
  /** Another server's address, instead of a path. No token goes there. */
  readonly url?: string;
  /** Sent as JSON by POST. Without it, the request is a GET. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** The device type that a 404 is about. */
  readonly deviceType?: string;
  readonly signal?: AbortSignal | undefined;
  /** Told whenever something of the answer came. */
  readonly onBytes?: (() => void) | undefined;
}

/** A balena API, and who asks it. */
export interface ApiClient {
  readonly apiOrigin: string;
  /** The token as it is now; `undefined` for an anonymous request. */
  currentToken(signal?: AbortSignal): Promise<string | undefined>;
  /** Sends one request and reads the JSON that it is answered with; `read` throws for one of the wrong shape. */
  ask<T>(question: Question, read: (json: unknown) => T): Promise<T>;
}

/** A client; it does nothing until it is asked. */
export function apiClient({ apiOrigin, token, fetch }: Omit<CheckedOptions, "configure">): ApiClient {
  const currentToken = (signal?: AbortSignal) =>
    unlessAborted(signal, async () => usableToken(await tokenFrom(token)));
  return {
    apiOrigin,
    currentToken,
    async ask(question, read) {
      const { signal, onBytes, body } = question;
      const secret = question.url === undefined ? await currentToken(signal) : undefined;
      const url = question.url === undefined ? `${apiOrigin}${question.path}` : httpUrl(question.url);
      const failure = { ...question, apiOrigin: new URL(url).origin, token: secret };
      const request = { url, body, token: secret, fetch, signal, onBytes };
      const answer = await unlessAborted(signal, () => send(request)).catch((cause) => {
        signal?.throwIfAborted();
        throw failureError({ ...failure, cause });
      });
      if (answer.status !== 200) throw failureError({ ...failure, ...answer, cause: refusal(answer) });
      if (answer.body === undefined) throw tooLarge(failure);
      try {
        return read(JSON.parse(new TextDecoder().decode(answer.body)));
      } catch (cause) {
        throw failureError({ ...failure, cause: notTheApi(cause) });
      }
    },
  };
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** What a refusal says. */
  readonly words?: string | undefined;
  /** `undefined` if it was too large, or the status is not 200. */
  readonly body?: Uint8Array | undefined;
}

interface ApiRequest extends Pick<Question, "signal" | "onBytes"> {
  readonly body: Question["body"];
  readonly url: string;
  readonly token: string | undefined;
  readonly fetch: typeof fetch;
}

async function send({ url, body, token, fetch, signal, onBytes }: ApiRequest): Promise<Answer> {
  const headers: Record<string, string> = {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(body && { "content-type": "application/json" }),
  };
  const post = body && { method: "POST", body: JSON.stringify(body) };
  // A redirect counts as a failure: an API has no reason for one, and some runtimes would send the token along.
  const response = await fetch(url, { ...post, headers, signal: signal ?? null, redirect: "manual" });
  onBytes?.();
  const answer = { status: response.status, headers: response.headers };
  if (response.status !== 200)
    return { ...answer, words: await wordsOf(response, token === undefined ? [] : [token]) };
  const { bytes, isWhole } = await readAtMost(response.body, bounds.lookUpBytes, { onBytes, signal });
  return isWhole ? { ...answer, body: bytes } : answer;
}

/** What an API names as an address is not trusted to be one. */
function httpUrl(value: string): string {
  const url = URL.parse(value);
  const isHttp = url?.protocol === "http:" || url?.protocol === "https:";
  if (isHttp && url.username === "" && url.password === "") return url.href;
  throw new UpstreamError("The upstream's address is not an http(s) URL, or it contains credentials", {
    unavailable: true,
  });
}

function refusal({ status, words = "The request was unsuccessful" }: Answer): Error {
  return Object.assign(new Error(words), { statusCode: status });
}

function tooLarge(failure: Omit<Failure, "cause">): ImageManagerError {
  const cause = new Error(`the answer has more than ${bounds.lookUpBytes / 2 ** 20} MiB`);
  return failureError({ ...failure, isEndless: true, cause });
}

/** A page that somebody in between puts in the answer's place, most likely. */
function notTheApi(cause: unknown): Error {
  const message = "what answered is not the API. Is there a sign-in or maintenance page in between?";
  return new Error(message, { cause });
}

async function tokenFrom(ask: () => unknown): Promise<unknown> {
  try {
    return await ask();
  } catch (cause) {
    if (isImageManagerError(cause)) throw cause;
    throw new UnauthorizedError("The token function failed", undefined, { cause: foreignError(cause) });
  }
}
