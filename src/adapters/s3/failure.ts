/** What is said when S3 refuses, is lost or answers nonsense; and which of it may pass by itself. */
import { foreignError, purged } from "../../core/foreign-error.ts";
import type { S3Answer, S3Request } from "./exchange.ts";
import type { S3Credentials } from "./options.ts";
import { elementOf } from "./xml.ts";

/** An error of the S3 store. Its message quotes no credential. */
export interface S3Failure extends Error {
  /** S3's own (`AccessDenied`), `HTTP_<status>` where S3 named none, or `TIMEOUT`, `NETWORK` or `MALFORMED_ANSWER`. */
  readonly code: string;
  /** HTTP status, where there was an answer. */
  readonly status?: number;
  /** How many times S3 was asked. */
  readonly attempts?: number;
}

/** Whether S3 refused with one of these statuses or codes. */
export function isRefusedWith(error: unknown, ...statusesAndCodes: (number | string)[]): error is S3Failure {
  if (!(error instanceof Error && "status" in error && "code" in error)) return false;
  return statusesAndCodes.some((wanted) => wanted === error.status || wanted === error.code);
}

/** For an answer that is a refusal. */
export function refusal(request: S3Request, answer: S3Answer, secrets: S3Credentials): S3Failure {
  const { status, attempts } = answer;
  const code = errorCodeOf(answer) ?? `HTTP_${status}`;
  // Its other elements quote the signature and the token.
  const said = elementOf(bodyTextOf(answer), "Message")?.slice(0, 300);
  const message = `S3 answered ${status} ${code} to ${nameOf(request)}${said ? `: ${said}` : ""}`;
  return Object.assign(new Error(purged(message, valuesOf(secrets))), { code, status, attempts });
}

/** For a request that got no whole answer. */
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

/** For an answer that can't be understood. */
export function malformedAnswer(what: string): S3Failure {
  return Object.assign(new Error(`S3 answered with ${what}`), { code: "MALFORMED_ANSWER" });
}

/** Whether a later try may go better. */
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

/** No server should quote a secret; one that does must not get it into a log. */
function valuesOf({ secretAccessKey, sessionToken }: S3Credentials): string[] {
  return [secretAccessKey, sessionToken].filter((secret) => secret !== undefined);
}
