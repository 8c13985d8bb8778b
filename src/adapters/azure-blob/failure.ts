/** The errors of Azure, copied without secrets: the originals contain the signed request. */
import { foreignError, purged } from "../../core/foreign-error.ts";

/** An error of the Azure store. Its message contains no credential. */
export interface AzureBlobFailure extends Error {
  /** Azure's own code, such as `AuthorizationFailure`; a code of the connection, such as `ECONNREFUSED`; `TIMEOUT`, `NETWORK` or `UNKNOWN`. */
  readonly code: string;
  /** HTTP status. Absent if there was no answer. */
  readonly status?: number;
}

/** Azure's code of an error, from the body or, where there is none, the headers. */
export function codeOf(error: unknown): string | undefined {
  const { code, details } = (error ?? {}) as { code?: unknown; details?: { errorCode?: unknown } };
  const found = [code, details?.errorCode].find((value) => typeof value === "string");
  return found as string | undefined;
}

/** Whether Azure refused with one of these codes. */
export function isRefusedWith(error: unknown, ...codes: string[]): boolean {
  return codes.includes(codeOf(error) ?? "");
}

/** The status of a refusal. */
export function statusOf(error: unknown): number | undefined {
  const { statusCode } = (error ?? {}) as { statusCode?: unknown };
  return typeof statusCode === "number" ? statusCode : undefined;
}

/** The error for a call that was refused or got no answer. */
export function azureFailure(what: string, error: unknown, secrets: readonly string[]): AzureBlobFailure {
  const status = statusOf(error);
  const code = codeOf(error) ?? "UNKNOWN";
  const cause = foreignError(error, secrets);
  // What follows are the request's id and the time.
  const said = cause?.message.split("\n", 1)[0]?.slice(0, 300) ?? "";
  const answer =
    status === undefined ? "Azure could not be reached for" : `Azure answered ${status} ${code} to`;
  const message = purged(`${answer} ${what}${said ? `: ${said}` : ""}`, secrets);
  return Object.assign(new Error(message, { cause }), { code, ...(status !== undefined && { status }) });
}

/** The error for a call that took too long. */
export function lateFailure(what: string, timeoutMs: number): AzureBlobFailure {
  return Object.assign(new Error(`Azure did not get on with ${what} for ${timeoutMs} ms`), {
    code: "TIMEOUT",
  });
}
