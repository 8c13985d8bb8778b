/** The package's main entry: the manager, its types and its errors. */
export {
  DeviceTypeNotFoundError,
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
