/** The subpath `balena-image-manager/http`: images over HTTP, for every runtime that speaks Request and Response. */
export { createImageHandler, type ImageHandler } from "./handler.ts";
export type { ImageHandlerOptions } from "./options.ts";
