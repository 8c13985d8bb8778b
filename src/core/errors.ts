/**
 * Every error that the library throws. There is one class for each decision that a caller makes, and `code` tells them apart.
 * Errors of a source, the store or the network are translated once, where they enter, and kept as `cause`.
 */

import { ImageManagerError, isImageManagerError, named } from "./error-base.ts";
import type { ChunkFormat } from "./types.ts";

export { EditError, type EditErrorReason } from "./edit-error.ts";
export { ImageManagerError, type ImageManagerErrorCode, isImageManagerError } from "./error-base.ts";

/** An option or argument has the wrong type or is out of range. Nothing was done. */
export class InvalidArgumentError extends ImageManagerError {
  static {
    named(InvalidArgumentError, "InvalidArgumentError");
  }
  readonly code = "INVALID_ARGUMENT";
}

/** The text is not a version or a range of balenaOS. Nothing was done. */
export class InvalidVersionError extends ImageManagerError {
  static {
    named(InvalidVersionError, "InvalidVersionError");
  }
  readonly code = "INVALID_VERSION";
  /** The text that was given. */
  readonly version: string;

  constructor(version: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.version = version;
  }
}

/** The upstream does not know the device type, or the account may not see it. */
export class DeviceTypeNotFoundError extends ImageManagerError {
  static {
    named(DeviceTypeNotFoundError, "DeviceTypeNotFoundError");
  }
  readonly code = "DEVICE_TYPE_NOT_FOUND";
  /** The slug or alias that was asked for. */
  readonly deviceType: string;

  constructor(deviceType: string, options?: ErrorOptions) {
    super(
      `Unknown device type "${deviceType}": check the slug, or sign in if the device type is private`,
      options,
    );
    this.deviceType = deviceType;
  }
}

/**
 * No version satisfies the request. `nearest` is the closest version, if there is one. Or the upstream lists the version but does not deliver
 * it with these options: the message then names the fleet, the image type and the file type, and quotes the upstream.
 */
export class VersionNotFoundError extends ImageManagerError {
  static {
    named(VersionNotFoundError, "VersionNotFoundError");
  }
  readonly code = "VERSION_NOT_FOUND";
  /** Canonical slug of the device type. */
  readonly deviceType: string;
  /** The requested version or range. */
  readonly version: string;
  /** The closest available version. `undefined` if there is none. */
  readonly nearest: string | undefined;

  /** `options.message` replaces the message if the version exists but can't be had. */
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

/** The call used `only-if-cached`, and the image is not in the cache. */
export class NotCachedError extends ImageManagerError {
  static {
    named(NotCachedError, "NotCachedError");
  }
  readonly code = "NOT_CACHED";
}

/** The upstream refused the credentials or requires some (401, 403). The cache is not served instead. */
export class UnauthorizedError extends ImageManagerError {
  static {
    named(UnauthorizedError, "UnauthorizedError");
  }
  readonly code = "UNAUTHORIZED";
  /** HTTP status. `undefined` if there was no response. */
  readonly status: number | undefined;

  constructor(message: string, status?: number, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** Facts about a failed upstream request. */
export interface UpstreamErrorFacts {
  /** HTTP status. `undefined` if no response came: the connection was refused or lost, or it timed out. */
  status?: number | undefined;
  /** Wait that the upstream's Retry-After asks for, in milliseconds. */
  retryAfterMs?: number | undefined;
  /** `true` if a later try may succeed. Default: `true` for no response, 408, 425, 429 and 5xx. */
  unavailable?: boolean | undefined;
}

/** The upstream could not be reached, is in trouble (`unavailable`), or sent a wrong answer. */
export class UpstreamError extends ImageManagerError {
  static {
    named(UpstreamError, "UpstreamError");
  }
  readonly code = "UPSTREAM";
  /** HTTP status. `undefined` if no response came. */
  readonly status: number | undefined;
  /** Wait that the upstream's Retry-After asks for, in milliseconds. `undefined` if it sent none. */
  readonly retryAfterMs: number | undefined;
  /** `true` if the upstream could not be reached or is in trouble. A later try may succeed, and a cached copy may be served instead. */
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

/** Whether the upstream can't be reached or is in trouble. A cached copy may then be served instead. */
export function isUpstreamUnavailable(failure: unknown): boolean {
  return (
    isImageManagerError(failure) && failure.code === "UPSTREAM" && (failure as UpstreamError).unavailable
  );
}

/** The download ended too early, and retries did not help. Or nothing proves that it is complete. */
export class TruncatedDownloadError extends ImageManagerError {
  static {
    named(TruncatedDownloadError, "TruncatedDownloadError");
  }
  readonly code = "TRUNCATED_DOWNLOAD";
  /** Expected bytes. `undefined` if the upstream gave no number. */
  readonly expectedBytes: number | undefined;
  /** Received bytes. They count the same thing as `expectedBytes`: the file, or the image in it. */
  readonly receivedBytes: number;

  constructor(message: string, receivedBytes: number, expectedBytes?: number, options?: ErrorOptions) {
    super(message, options);
    this.receivedBytes = receivedBytes;
    this.expectedBytes = expectedBytes;
  }
}

/** The upstream's bytes of this version changed during the delivery. The next get starts from the beginning. */
export class ImageChangedError extends ImageManagerError {
  static {
    named(ImageChangedError, "ImageChangedError");
  }
  readonly code = "IMAGE_CHANGED";
}

/**
 * A stored chunk is missing or damaged and could not be downloaded again. Or the upstream's bytes do not match the upstream's checksum. Or a
 * device reads back other bytes than `writeImage` wrote.
 */
export class IntegrityError extends ImageManagerError {
  static {
    named(IntegrityError, "IntegrityError");
  }
  readonly code = "INTEGRITY";
  /** Manifest id of the image. Of `writeImage`: the device, as it was named. */
  readonly image: string;
  /** Index of the first bad chunk. Of `writeImage`: of the first bad block of 4 MiB. */
  readonly chunk: number;

  constructor(image: string, chunk: number, options: ErrorOptions & { message?: string } = {}) {
    const { message = `Chunk ${chunk} of ${image} is missing or damaged in the store`, ...rest } = options;
    super(message, rest);
    this.image = image;
    this.chunk = chunk;
  }
}

/**
 * The store failed (refused, timed out, full, read-only), and the call can't succeed without it. Or the store has a chunk in a format that
 * this manager can't decode: then `format` names it.
 */
export class StoreError extends ImageManagerError {
  static {
    named(StoreError, "StoreError");
  }
  readonly code = "STORE";
  /** Set if a stored chunk is encoded in this format, and the manager can't decode it: the manager needs another `encoding`. */
  readonly format: ChunkFormat | undefined;

  constructor(
    message: string,
    { format, ...options }: ErrorOptions & { format?: ChunkFormat | undefined } = {},
  ) {
    super(message, options);
    this.format = format;
  }
}

/** The store can't list its keys completely, but the call or option needs a complete list. */
export class ListingIncompleteError extends ImageManagerError {
  static {
    named(ListingIncompleteError, "ListingIncompleteError");
  }
  readonly code = "LISTING_INCOMPLETE";
}

/** The manager was closed: before the call, during the call, or while its stream was being read. */
export class ClosedError extends ImageManagerError {
  static {
    named(ClosedError, "ClosedError");
  }
  readonly code = "CLOSED";
}
