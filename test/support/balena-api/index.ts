// A balena API on loopback, for tests, the demo and benchmarks: the names that they use.
export type { Counters, LoggedRequest } from "./counters.ts";
export type {
  AssetFaults,
  DownloadFaults,
  DownloadKind,
  Limited,
  MetadataFaults,
  Place,
  Refusal,
  ShortEnd,
} from "./faults.ts";
export { defaultLastModified, downloadTraits } from "./faults.ts";
export type { DeviceTypeFixture, ReleaseFixture } from "./fixtures.ts";
export { fixtureSlugs, foreignFleet } from "./fixtures.ts";
export type { ServedImage } from "./image.ts";
export { repeatableImages } from "./image-clock.ts";
export { type BalenaApi, type BalenaApiOptions, type ImageQuery, startBalenaApi } from "./server.ts";
