/** Turns failures into answers for clients: one format (RFC 9457), one table, and no details from behind the handler. */
import { type EditErrorReason, type ImageManagerErrorCode, isImageManagerError } from "../errors.ts";
import { parseVersion } from "../version/index.ts";
import { jsonResponse } from "./json-response.ts";

/** What a client may read beyond status and words. */
interface Members {
  readonly code?: ImageManagerErrorCode;
  /** The version that comes closest to the one asked for. */
  readonly nearest?: string;
  /** Why an edit can't be applied. */
  readonly reason?: EditErrorReason;
}

/** A failure whose words are meant for the client. */
export class HttpProblem extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly members: Members;

  constructor(status: number, detail: string, headers: Record<string, string> = {}, members: Members = {}) {
    super(detail);
    this.status = status;
    this.headers = headers;
    this.members = members;
  }
}

/** The answer to what is beyond `maxTransfers`. */
export const busy = (): HttpProblem =>
  new HttpProblem(503, "As many answers are being sent as may be at once.", { "retry-after": "5" });

/** What each code is to a client. The words are fixed: messages and causes name hosts, keys and paths. */
const problems: Record<ImageManagerErrorCode, readonly [status: number, detail: string]> = {
  INVALID_ARGUMENT: [400, "A part of the request is not valid."],
  INVALID_VERSION: [400, "The version is not one that balenaOS versions can be matched against."],
  DEVICE_TYPE_NOT_FOUND: [404, "There is no such device type."],
  VERSION_NOT_FOUND: [404, "No version of the device type satisfies what was asked for."],
  // RFC 9111, section 5.2.1.7: the answer to `only-if-cached`.
  NOT_CACHED: [504, "The image is not cached."],
  // The upstream refused the server's credentials. The client's are fine, and others would not help.
  UNAUTHORIZED: [502, "The upstream did not let this server have it."],
  UPSTREAM: [502, "The upstream could not be reached, or failed."],
  TRUNCATED_DOWNLOAD: [502, "The upstream's image ended too early."],
  IMAGE_CHANGED: [
    502,
    "The upstream's image changed during the delivery. Another request starts from the beginning.",
  ],
  INTEGRITY: [500, "The stored image is damaged, and could not be mended."],
  STORE: [503, "The store failed."],
  LISTING_INCOMPLETE: [501, "The store can't list its images."],
  CLOSED: [503, "The server is about to stop."],
  EDIT: [422, "The files can't be written into this image."],
};

/** The problem that a failure is. */
export function problemOf(failure: unknown): HttpProblem {
  if (failure instanceof HttpProblem) return failure;
  if (!isImageManagerError(failure) || !Object.hasOwn(problems, failure.code))
    return new HttpProblem(500, "Something went wrong inside the server.");
  const { code } = failure;
  const reason = reasonOf(failure);
  // What fails by itself is no fault of the files.
  const [status, detail] = reason === "failed" ? [500, "The edit failed."] : problems[code];
  const nearest = nearestOf(failure);
  const headers = code === "CLOSED" ? { "retry-after": "5" } : undefined;
  return new HttpProblem(status, detail, headers, {
    code,
    ...(nearest !== undefined && { nearest }),
    ...(reason !== undefined && { reason }),
  });
}

const reasons: readonly unknown[] = [
  "no-boot-partition",
  "damaged",
  "full",
  "outside-image",
  "failed",
] satisfies EditErrorReason[];

function reasonOf(failure: object): EditErrorReason | undefined {
  const { code, reason } = failure as { code?: unknown; reason?: unknown };
  return code === "EDIT" && reasons.includes(reason) ? (reason as EditErrorReason) : undefined;
}

/** The name can only be a version, even if another library made the error. */
function nearestOf(failure: object): string | undefined {
  const { nearest } = failure as { nearest?: unknown };
  return typeof nearest === "string" && parseVersion(nearest) ? nearest : undefined;
}

const titles: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  412: "Precondition Failed",
  413: "Content Too Large",
  416: "Range Not Satisfiable",
  422: "Unprocessable Content",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** The answer to a client. */
export function problemResponse(
  request: Request,
  { status, message, headers, members }: HttpProblem,
): Response {
  return jsonResponse(request, { title: titles[status], status, detail: message, ...members }, status, {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    ...headers,
  });
}
