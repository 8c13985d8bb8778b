/**
 * The manager, the interfaces of sources and stores, and the errors. It needs only the web platform.
 *
 * @module balena-image-manager
 */
export {
  ClosedError,
  DeviceTypeNotFoundError,
  EditError,
  type EditErrorReason,
  ImageChangedError,
  ImageManagerError,
  type ImageManagerErrorCode,
  IntegrityError,
  InvalidArgumentError,
  InvalidVersionError,
  isImageManagerError,
  ListingIncompleteError,
  NotCachedError,
  StoreError,
  TruncatedDownloadError,
  UnauthorizedError,
  UpstreamError,
  type UpstreamErrorFacts,
  VersionNotFoundError,
} from "./errors.ts";
export { createImageManager } from "./manager.ts";
export { gzipEncoding } from "./store/gzip-encoding.ts";
export type * from "./types.ts";
