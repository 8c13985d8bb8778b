/**
 * For Node only: saving to a file, writing to devices, serving over HTTP, faster inflating and hashing, encoded chunks.
 *
 * @module balena-image-manager/node
 */
export { gzipEncoding } from "./encoding/gzip.ts";
export type { EncodingOptions } from "./encoding/options.ts";
export { zstdEncoding } from "./encoding/zstd.ts";
export type { DeviceProgress, WriteImageOptions } from "./flash/options.ts";
export { type WrittenImage, writeImage } from "./flash/write-image.ts";
export { nodeHash } from "./hash.ts";
export { nodeInflate } from "./inflate.ts";
export { nodeEvents } from "./node-events.ts";
export {
  type NodeRequestListener,
  type RequestListenerOptions,
  requestListener,
} from "./request-listener.ts";
export type { SaveImageOptions } from "./save/options.ts";
export { saveImage } from "./save/save-image.ts";
export type { SavedImage } from "./save/save-whole.ts";
export { type RunningServer, type ServeOptions, serve } from "./serve.ts";
