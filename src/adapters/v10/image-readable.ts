/** An image as a Node stream that announces its version, as version 10 returned it. */
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import type { ImageStream } from "../../core/types.ts";

/**
 * A Node stream of an image. It has two more events:
 *
 * - `progress` during a download: a {@link DropInProgress}, or `undefined` while the size is not known;
 * - `balena-image-manager:resolved-version`: the exact version, once for each listener, even if the listener is added late.
 */
export type ImageReadable = Readable & {
  /** Media type: `application/zip` for a zip, otherwise usually `application/octet-stream`. */
  readonly mime: string;
};

const versionEvent = "balena-image-manager:resolved-version";

/** Turns an image into a Node stream. Destroying it cancels the image. */
export function imageReadable(image: ImageStream): ImageReadable {
  // The types of web streams of Node and of lib.dom are not compatible.
  const readable = Readable.fromWeb(image as unknown as NodeReadableStream<Uint8Array>);
  announce(readable, image.version);
  return Object.assign(readable, { mime: image.mime });
}

/** Emits the event in the next turn, so that a caller who awaited the stream can listen. A later listener gets its own call. */
function announce(readable: Readable, version: string): void {
  setImmediate(() => {
    readable.emit(versionEvent, version);
    readable.on("newListener", (event: string | symbol, listener: (version: string) => void) => {
      if (event === versionEvent) setImmediate(() => listener.call(readable, version));
    });
  });
}
