/**
 * The manager, the ports that it works with, and its errors. Needs nothing but the web platform.
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
export type * from "./types.ts";
