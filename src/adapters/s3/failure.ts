/** The errors of S3: refusals, lost answers and malformed answers. It also decides which of them are worth a retry. */
import { foreignError, purged } from "../../core/foreign-error.ts";
import type { S3Answer, S3Request } from "./exchange.ts";
import type { S3Credentials } from "./options.ts";
import { elementOf } from "./xml.ts";

/** An error of the S3 store. Its message contains no credential. */
export interface S3Failure extends Error {
  /** S3's own code, such as `AccessDenied`; `HTTP_<status>` if S3 gave none; or `TIMEOUT`, `NETWORK` or `MALFORMED_ANSWER`. */
  readonly code: string;
  /** HTTP status. Absent if there was no answer. */
  readonly status?: number;
  /** Number of requests that were sent. */
  readonly attempts?: number;
}

/** Whether S3 refused with one of these statuses or codes. */
export function isRefusedWith(error: unknown, ...statusesAndCodes: (number | string)[]): error is S3Failure {
  if (!(error instanceof Error && "status" in error && "code" in error)) return false;
  return statusesAndCodes.some((wanted) => wanted === error.status || wanted === error.code);
}

/** The error for an answer with a status of failure. */
export function refusal(request: S3Request, answer: S3Answer, secrets: S3Credentials): S3Failure {
  const { status, attempts } = answer;
  const code = errorCodeOf(answer) ?? `HTTP_${status}`;
  // Other elements of the answer quote the signature and the token.
  const said = elementOf(bodyTextOf(answer), "Message")?.slice(0, 300);
  const message = `S3 answered ${status} ${code} to ${nameOf(request)}${said ? `: ${said}` : ""}`;
  return Object.assign(new Error(purged(message, valuesOf(secrets))), { code, status, attempts });
}

/** The error for a request without a complete answer. */
export function lostAnswer(
  request: S3Request,
  attempts: number,
  timeoutMs: number,
  cause: unknown,
  secrets: S3Credentials,
): S3Failure {
  const isLate = cause instanceof Error && cause.name === "TimeoutError";
  const what = isLate
    ? `did not answer within ${timeoutMs} ms`
    : "could not be reached, or its answer was cut short";
  const message = `S3 ${what}: ${nameOf(request)}, attempt ${attempts}`;
  return Object.assign(new Error(message, { cause: foreignError(cause, valuesOf(secrets)) }), {
    code: isLate ? "TIMEOUT" : "NETWORK",
    attempts,
  });
}

/** The error for an answer that can't be understood. */
export function malformedAnswer(what: string): S3Failure {
  return Object.assign(new Error(`S3 answered with ${what}`), { code: "MALFORMED_ANSWER" });
}

/** Whether a later attempt may succeed. */
export function isTransient(answer: S3Answer): boolean {
  const { status } = answer;
  if (status === 408 || status === 429) return true;
  // AWS answers 400 to an upload that stood still for too long.
  if (status === 400) return errorCodeOf(answer) === "RequestTimeout";
  return status >= 500 && status !== 501;
}

/** Body as text. */
export function bodyTextOf({ bytes }: S3Answer): string {
  return new TextDecoder().decode(bytes);
}

function errorCodeOf(answer: S3Answer): string | undefined {
  return elementOf(bodyTextOf(answer), "Code");
}

function nameOf({ method, name }: S3Request): string {
  return `${method} of ${name || "the bucket"}`;
}

/** A server should not quote a secret. If it does, the secret must not get into a log. */
function valuesOf({ secretAccessKey, sessionToken }: S3Credentials): string[] {
  return [secretAccessKey, sessionToken].filter((secret) => secret !== undefined);
}
