/** Translates a failed request to a balena API into the library's errors. */
import {
  DeviceTypeNotFoundError,
  type ImageManagerError,
  UnauthorizedError,
  UpstreamError,
  type UpstreamErrorFacts,
} from "../../core/errors.ts";
import { foreignError } from "../../core/foreign-error.ts";
import { parseRetryAfter } from "../../core/upstream/retry-after.ts";

/** What is known about a request that failed. */
export interface Failure {
  /** Where the API is. */
  readonly apiOrigin: string;
  /** What was being done, to follow "could not": `list the versions of raspberrypi4-64`. */
  readonly action: string;
  /** The device type that a 404 is about. */
  readonly deviceType?: string | undefined;
  /** HTTP status; `undefined` when no answer came, or none that makes sense. */
  readonly status?: number | undefined;
  /** What the answer says, purged. */
  readonly words?: string | undefined;
  /** The answer's headers, for Retry-After. */
  readonly headers?: Headers | undefined;
  /** The answer is too large to be one: asking again would bring as much. */
  readonly isEndless?: boolean | undefined;
  /** The token that was sent, to keep it out of the error. */
  readonly token?: string | undefined;
  /** The original error. */
  readonly cause: unknown;
}

/**
 * The error for a failure: `UNAUTHORIZED` for 401 and 403, `DEVICE_TYPE_NOT_FOUND` for 404 on a device type, else
 * `UPSTREAM`. Its `cause` is a copy of the original without the request that this one drags along.
 *
 * @example
 * ```ts
 * throw failureError({ apiOrigin, action: "list device types", status: response.status, cause: undefined });
 * ```
 */
export function failureError(failure: Failure): ImageManagerError {
  const { status, deviceType } = failure;
  if (status === 401 || status === 403) return unauthorizedError(failure);
  const cause = foreignError(failure.cause, tokenOf(failure));
  if (status === 404 && deviceType !== undefined) return new DeviceTypeNotFoundError(deviceType, { cause });
  const reason = status === undefined ? messageOf(cause) : answered(failure);
  return new UpstreamError(`${sentence(failure)}: ${reason}`, errorFactsOf(failure), { cause });
}

/** The error for credentials that were refused, by the API or even before it was asked. */
export function unauthorizedError(failure: Failure): UnauthorizedError {
  const { status, cause } = failure;
  const reason = status === undefined ? "the token is not usable" : answered(failure);
  const message = `${sentence(failure)}: ${reason}. Sign in, or check the token and what it may see`;
  return new UnauthorizedError(message, status, { cause: foreignError(cause, tokenOf(failure)) });
}

function errorFactsOf({ status, headers, isEndless }: Failure): UpstreamErrorFacts {
  const retryAfterMs = parseRetryAfter(headers?.get("retry-after") ?? null, headers?.get("date") ?? null);
  return { status, retryAfterMs, unavailable: isEndless ? false : isRedirect(status) || undefined };
}

/** An API does not redirect; a sign-in page does. */
const isRedirect = (status = 0) => status >= 300 && status < 400;

const answered = ({ status, words }: Failure) =>
  `it answered ${status}${words === undefined ? "" : ` and says ${JSON.stringify(words)}`}`;

const tokenOf = ({ token }: Failure) => (token === undefined ? [] : [token]);

function sentence({ apiOrigin, action }: Failure): string {
  return `Could not ${action} at ${apiOrigin}`;
}

/** Native fetch says only "fetch failed"; the code of its cause says what happened. */
function messageOf(error: Error | undefined): string {
  const code = (error?.cause as { code?: string } | undefined)?.code;
  return `${error?.message ?? "no answer"}${code === undefined ? "" : ` (${code})`}`;
}
