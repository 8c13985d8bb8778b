/**
 * Every error that the library throws: one class per decision that a caller makes, told apart by `code`.
 * Foreign errors are translated once, where they enter (a source, the store, the network), and kept as `cause`.
 */

/** The codes of {@link ImageManagerError}, one for each class; a `switch` over them narrows. */
export type ImageManagerErrorCode =
  | "INVALID_ARGUMENT"
  | "INVALID_VERSION"
  | "DEVICE_TYPE_NOT_FOUND"
  | "VERSION_NOT_FOUND"
  | "NOT_CACHED"
  | "UNAUTHORIZED"
  | "UPSTREAM"
  | "TRUNCATED_DOWNLOAD"
  | "IMAGE_CHANGED"
  | "INTEGRITY"
  | "STORE"
  | "LISTING_INCOMPLETE"
  | "CLOSED"
  | "EDIT";

// Shared by the ESM and the CJS copy of this module, for which `instanceof` fails across copies.
const brand = Symbol.for("balena-image-manager.error");

/**
 * Tells whether a value is an error of this library, whichever copy (ESM, CJS, another install) made it.
 *
 * @example
 * ```ts
 * try {
 *   await images.get("raspberrypi4-64", "^6.0.0");
 * } catch (error) {
 *   if (isImageManagerError(error) && error.code === "VERSION_NOT_FOUND") console.error(error.message);
 *   else throw error;
 * }
 * ```
 */
export function isImageManagerError(value: unknown): value is ImageManagerError {
  return typeof value === "object" && value !== null && brand in value;
}

/** Base class of every error that this library throws. */
export abstract class ImageManagerError extends Error {
  /** What went wrong, for programs. */
  abstract readonly code: ImageManagerErrorCode;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    Object.defineProperty(this, brand, { value: true });
  }
}

/** An option or argument is of the wrong type or out of its range. Nothing was done. */
export class InvalidArgumentError extends ImageManagerError {
  readonly code = "INVALID_ARGUMENT";
}

/** The version or range is not one that balenaOS versions can be matched against. Nothing was done. */
export class InvalidVersionError extends ImageManagerError {
  readonly code = "INVALID_VERSION";
  /** What was asked for. */
  readonly version: string;

  constructor(version: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.version = version;
  }
}

/** The upstream knows no such device type, or the account may not see it. */
export class DeviceTypeNotFoundError extends ImageManagerError {
  readonly code = "DEVICE_TYPE_NOT_FOUND";
  /** The slug or alias that was asked for. */
  readonly deviceType: string;

  constructor(deviceType: string, options?: ErrorOptions) {
    super(`Unknown device type "${deviceType}": check the slug, or sign in if it is a private one`, options);
    this.deviceType = deviceType;
  }
}

/**
 * No version satisfies what was asked for; `nearest` names the one that comes closest, if there is any. Or the upstream lists the
 * version and does not hand it out so: the message names the fleet, the image type and the file type, and quotes the upstream.
 */
export class VersionNotFoundError extends ImageManagerError {
  readonly code = "VERSION_NOT_FOUND";
  /** Canonical slug. */
  readonly deviceType: string;
  /** The version or range that was asked for. */
  readonly version: string;
  /** The available version that comes closest. */
  readonly nearest: string | undefined;

  /** `options.message` says it in other words, where the version is there and yet not to be had. */
  constructor(
    deviceType: string,
    version: string,
    nearest?: string,
    { message, ...options }: ErrorOptions & { message?: string | undefined } = {},
  ) {
    const hint =
      nearest === undefined
        ? "none is listed; sign in if the device type or its releases are private"
        : `the nearest is ${nearest}`;
    super(message ?? `No version of ${deviceType} satisfies "${version}": ${hint}`, options);
    this.deviceType = deviceType;
    this.version = version;
    this.nearest = nearest;
  }
}

/** `only-if-cached` was asked for and the image is not in the cache. */
export class NotCachedError extends ImageManagerError {
  readonly code = "NOT_CACHED";
}

/** The upstream refused the credentials, or wants some (401, 403). Never answered from the cache. */
export class UnauthorizedError extends ImageManagerError {
  readonly code = "UNAUTHORIZED";
  /** HTTP status, where there was one. */
  readonly status: number | undefined;

  constructor(message: string, status?: number, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** Facts about a failed upstream request. */
export interface UpstreamErrorFacts {
  /** HTTP status; `undefined` when no response came (connection refused, lost, timed out). */
  status?: number | undefined;
  /** What the upstream's Retry-After said, in milliseconds. */
  retryAfterMs?: number | undefined;
  /** Default: `true` for no response, 408, 425, 429 and 5xx. */
  unavailable?: boolean | undefined;
}

/** The upstream could not be reached, is in trouble (`unavailable`), or answered what makes no sense. */
export class UpstreamError extends ImageManagerError {
  readonly code = "UPSTREAM";
  /** HTTP status; `undefined` when no response came. */
  readonly status: number | undefined;
  /** What the upstream's Retry-After said, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** It could not be reached or is in trouble: a later try may go better, and a cached copy may stand in. */
  readonly unavailable: boolean;

  constructor(message: string, facts: UpstreamErrorFacts = {}, options?: ErrorOptions) {
    super(message, options);
    this.status = facts.status;
    this.retryAfterMs = facts.retryAfterMs;
    this.unavailable = facts.unavailable ?? isTroubleStatus(facts.status);
  }
}

function isTroubleStatus(status: number | undefined): boolean {
  return status === undefined || status >= 500 || [408, 425, 429].includes(status);
}

/** Whether the upstream can't be reached or is in trouble, so that a cached copy may stand in for it. */
export function isUpstreamUnavailable(failure: unknown): boolean {
  return (
    isImageManagerError(failure) && failure.code === "UPSTREAM" && (failure as UpstreamError).unavailable
  );
}

/** A body ended short of what its own framing promised, and retrying did not help. */
export class TruncatedDownloadError extends ImageManagerError {
  readonly code = "TRUNCATED_DOWNLOAD";
  /** Bytes that were promised, where a number was. */
  readonly expectedBytes: number | undefined;
  /** Bytes that came, of the file or of the image in it, as the promise was made. */
  readonly receivedBytes: number;

  constructor(message: string, receivedBytes: number, expectedBytes?: number, options?: ErrorOptions) {
    super(message, options);
    this.receivedBytes = receivedBytes;
    this.expectedBytes = expectedBytes;
  }
}

/** The upstream's bytes changed under the same version while they were being delivered. The next get starts anew. */
export class ImageChangedError extends ImageManagerError {
  readonly code = "IMAGE_CHANGED";
}

/** A stored chunk is missing or damaged and could not be fetched again; or what the upstream hands out is not what it has summed. */
export class IntegrityError extends ImageManagerError {
  readonly code = "INTEGRITY";
  /** Manifest id of the image. */
  readonly image: string;
  /** Index of the first bad chunk. */
  readonly chunk: number;

  constructor(image: string, chunk: number, options: ErrorOptions & { message?: string } = {}) {
    const { message = `Chunk ${chunk} of ${image} is missing or damaged in the store`, ...rest } = options;
    super(message, rest);
    this.image = image;
    this.chunk = chunk;
  }
}

/** The store failed (refused, timed out, full, read-only) in a call whose whole point was the store. */
export class StoreError extends ImageManagerError {
  readonly code = "STORE";
}

/** The store can't list its keys completely, so the call can't promise what it is for. */
export class ListingIncompleteError extends ImageManagerError {
  readonly code = "LISTING_INCOMPLETE";
}

/** The manager was closed: before the call, or while it or its stream was under way. */
export class ClosedError extends ImageManagerError {
  readonly code = "CLOSED";
}

/** Why an edit can't be laid over an image. */
export type EditErrorReason =
  /** No partition holds the files of a boot partition, or not the one that was named. */
  | "no-boot-partition"
  /** What is there can't be read: a table, a directory or a file that is to be merged into. */
  | "damaged"
  /** The partition or a directory has no room left. */
  | "full"
  /** A span begins or ends outside the image. */
  | "outside-image"
  /** The edit failed by itself; see `cause`. */
  | "failed";

/** An edit can't be laid over the image. The cached image is as it was. */
export class EditError extends ImageManagerError {
  readonly code = "EDIT";
  /** Why. */
  readonly reason: EditErrorReason;

  constructor(reason: EditErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
