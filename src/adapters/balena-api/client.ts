/** Asks a balena API one question at a time, and turns whatever goes wrong into the library's errors. */
import { UnauthorizedError } from "../../core/errors.ts";
import { foreignError } from "../../core/foreign-error.ts";
import { unlessAborted } from "../../core/source.ts";
import { discard } from "../../core/transfer/request.ts";
import { failureError } from "../balena/failure.ts";
import { isToken } from "../balena/token.ts";

import type { CheckedOptions } from "./options.ts";

const answerTimeoutMs = 30_000;

/** What is asked of the API. */
export interface Question {
  /** To follow "could not". */
  readonly action: string;
  /** Path and query. */
  readonly path: string;
  /** The device type that a 404 is about. */
  readonly deviceType?: string;
  readonly signal?: AbortSignal | undefined;
}

/** A balena API, and who asks it. */
export interface ApiClient {
  readonly apiOrigin: string;
  /** The token as it is now; `undefined` for an anonymous request. */
  currentToken(signal?: AbortSignal): Promise<string | undefined>;
  /** Sends one GET and reads the JSON that it is answered with; `read` throws for one of the wrong shape. */
  ask<T>(question: Question, read: (json: unknown) => T): Promise<T>;
}

/** A client; it does nothing until it is asked. */
export function apiClient({ apiOrigin, token, fetch }: CheckedOptions): ApiClient {
  const currentToken = (signal?: AbortSignal) => unlessAborted(signal, () => usableToken(token));
  return {
    apiOrigin,
    currentToken,
    async ask(question, read) {
      const secret = await currentToken(question.signal);
      const request = { url: `${apiOrigin}${question.path}`, token: secret, fetch };
      const facts = { ...question, apiOrigin, token: secret };
      const answer = await withinTime(question.signal, (signal) => send(request, signal)).catch((cause) => {
        question.signal?.throwIfAborted();
        throw failureError({ ...facts, cause });
      });
      if (answer.status !== 200) {
        throw failureError({ ...facts, ...answer, cause: new Error(`GET ${request.url}: ${answer.status}`) });
      }
      try {
        return read(JSON.parse(answer.text));
      } catch (cause) {
        throw failureError({ ...facts, isNonsense: true, cause });
      }
    },
  };
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Empty unless the status is 200. */
  readonly text: string;
}

interface ApiRequest {
  readonly url: string;
  readonly token: string | undefined;
  readonly fetch: typeof fetch;
}

async function send({ url, token, fetch }: ApiRequest, signal: AbortSignal): Promise<Answer> {
  const headers: HeadersInit = token === undefined ? {} : { authorization: `Bearer ${token}` };
  // A redirect counts as a failure: an API has no reason for one, and some runtimes would send the token along.
  const response = await fetch(url, { headers, signal, redirect: "manual" });
  if (response.status === 200) return { status: 200, headers: response.headers, text: await response.text() };
  await discard(response);
  return { status: response.status, headers: response.headers, text: "" };
}

/** Also bounds a `fetch` that does not heed its signal. */
async function withinTime<T>(
  signal: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const give = () => late.abort(new Error(`no whole answer within ${answerTimeoutMs / 1000} seconds`));
  // A timer of our own, for that of AbortSignal.timeout can't be cleared.
  const timer = setTimeout(give, answerTimeoutMs);
  const either = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
  try {
    return await unlessAborted(either, () => run(either));
  } finally {
    clearTimeout(timer);
  }
}

async function usableToken(ask: () => unknown): Promise<string | undefined> {
  const token = await tokenFrom(ask);
  if (token === undefined || isToken(token)) return token;
  // `fetch` would refuse such a header with an error that quotes it.
  throw new UnauthorizedError(
    "The token function gave no usable token: printable ASCII, no spaces or line ends",
  );
}

async function tokenFrom(ask: () => unknown): Promise<unknown> {
  try {
    return await ask();
  } catch (cause) {
    throw new UnauthorizedError("The token function failed", undefined, { cause: foreignError(cause) });
  }
}
