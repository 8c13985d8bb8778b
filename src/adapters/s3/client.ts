/** Sends signed requests to a bucket. It sends a request again if the server is busy or the answer got lost. */
import { bounds } from "../../core/bounds.ts";
import { type BoundedBody, readAtMost } from "../../core/read-at-most.ts";
import { sleep } from "../../core/waiting.ts";
import { missingPeer } from "../peer.ts";
import type { S3Answer, S3Request } from "./exchange.ts";
import { isTransient, lostAnswer, refusal, type S3Failure } from "./failure.ts";
import { escapeUrl, urlPathOf } from "./object-name.ts";
import type { S3Config, S3Credentials } from "./options.ts";
import { createPatience } from "./patience.ts";
import { delayMsAfter } from "./retry.ts";

/** Asks S3: fulfils with an answer that is a success, and rejects with an `S3Failure` else. */
export type S3Client = (request: S3Request) => Promise<S3Answer>;

const maxSigningKeys = 10;

/** Makes a client; nothing is sent or imported before its first request. */
export function createS3Client(config: S3Config): S3Client {
  const signingKeys = new Map<string, ArrayBuffer>();
  return async (request) => {
    for (let attempts = 1; ; attempts++) {
      const signed = await signedRequest(config, request, signingKeys);
      const outcome = await exchange(config, request, signed, attempts);
      request.signal?.throwIfAborted();
      if (!(outcome instanceof LostAnswer) && isSuccess(outcome.status)) return outcome;
      const mayPass = outcome instanceof LostAnswer || isTransient(outcome);
      if (attempts === config.maxAttempts || !mayPass) throw failureOf(config, request, signed, outcome);
      await sleep(delayMsAfter(attempts, outcome.retryAfter));
    }
  };
}

function failureOf(
  { timeoutMs }: S3Config,
  request: S3Request,
  { credentials }: SignedRequest,
  outcome: S3Answer | LostAnswer,
): S3Failure {
  if (outcome instanceof LostAnswer)
    return lostAnswer(request, outcome.attempts, timeoutMs, outcome.cause, credentials);
  return refusal(request, outcome, credentials);
}

/** What came of an attempt without a whole answer. */
class LostAnswer {
  readonly attempts: number;
  readonly cause: unknown;
  readonly retryAfter = null;

  constructor(attempts: number, cause: unknown) {
    this.attempts = attempts;
    this.cause = cause;
  }
}

interface SignedRequest {
  readonly url: string;
  readonly init: RequestInit;
  readonly credentials: S3Credentials;
}

async function signedRequest(
  config: S3Config,
  request: S3Request,
  signingKeys: Map<string, ArrayBuffer>,
): Promise<SignedRequest> {
  const { AwsV4Signer } = await import("aws4fetch").catch(missingPeer("s3Adapter", "aws4fetch"));
  const { accessKeyId, secretAccessKey, sessionToken } = await config.credentials();
  const { method, body } = request;
  // One key for each day and pair of credentials. Old ones must not pile up.
  if (signingKeys.size > maxSigningKeys) signingKeys.clear();
  const signer = new AwsV4Signer({
    method,
    url: urlOf(config, request),
    headers: headersOf(request),
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== undefined && { sessionToken }),
    service: "s3",
    region: config.region,
    // Deriving a key takes twice as long as signing with it.
    cache: signingKeys,
    // Content-type too: newer Ceph refuses one that is not signed.
    allHeaders: true,
  });
  const { url, headers } = await signer.sign();
  // Not as a Request: its body would be a stream, which some servers get in chunks and refuse.
  const init = { method, headers, ...(body && { body }), redirect: "manual" as const };
  return { url: url.href, init, credentials: { accessKeyId, secretAccessKey, sessionToken } };
}

function urlOf({ bucketUrl }: S3Config, { name, query = {} }: S3Request): string {
  const search = Object.entries(query).map(([field, value]) => `${escapeUrl(field)}=${escapeUrl(value)}`);
  return `${bucketUrl}/${urlPathOf(name)}${search.length > 0 ? `?${search.join("&")}` : ""}`;
}

function headersOf({ headers, body }: S3Request): Record<string, string> {
  return { ...(body && { "content-type": "application/octet-stream" }), ...headers };
}

async function exchange(
  { timeoutMs, fetch }: S3Config,
  { body, maxBytes = bounds.errorPageBytes, onProgress, signal }: S3Request,
  { url, init }: SignedRequest,
  attempts: number,
): Promise<S3Answer | LostAnswer> {
  const patience = createPatience(timeoutMs + uploadMs(body), timeoutMs, signal);
  const onBytes = () => {
    patience.renew();
    onProgress?.();
  };
  try {
    const response = await fetch(url, { ...init, signal: patience.signal });
    onBytes();
    const { status, headers } = response;
    // To its end if that may be reached: only then is the connection free, and only then is nothing missing.
    const answer = isSuccess(status)
      ? await bodyOf(response, maxBytes, onBytes)
      : await readAtMost(response.body, bounds.errorPageBytes, { onBytes });
    return { status, ...answer, attempts, retryAfter: headers.get("retry-after") };
  } catch (cause) {
    return new LostAnswer(attempts, cause);
  } finally {
    patience.end();
  }
}

/** What says that it is too large is not read. */
async function bodyOf(
  { body, headers }: Response,
  maxBytes: number,
  onBytes: () => void,
): Promise<BoundedBody> {
  if (Number(headers.get("content-length")) <= maxBytes) return readAtMost(body, maxBytes, { onBytes });
  await body?.cancel();
  return { bytes: new Uint8Array(), isWhole: false };
}

/** `fetch` does not tell how far an upload has come, so it gets the time that a slow line takes: 64 KiB a second. */
function uploadMs(body: Uint8Array | undefined): number {
  return (body?.length ?? 0) / 64;
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
