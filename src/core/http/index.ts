/**
 * Images over HTTP, on every runtime that speaks `Request` and `Response`.
 *
 * @module balena-image-manager/http
 */
export { createImageHandler, type ImageHandler } from "./handler.ts";
export type { ImageHandlerOptions } from "./options.ts";
