/** An image as the Node stream that version 10 resolved to, which announces its version. */
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import type { ImageStream } from "../../../core/types.ts";

/**
 * A Node stream of an image. Events beside a stream's own:
 *
 * - `progress` while downloading: a {@link DropInProgress}, `undefined` while nobody knows the size;
 * - `balena-image-manager:resolved-version`: the exact version, once for each listener, however late it comes.
 */
export type ImageReadable = Readable & {
  /** Media type: `application/zip` for a zip, else usually `application/octet-stream`. */
  readonly mime: string;
};

const versionEvent = "balena-image-manager:resolved-version";

/** Turns an image into a Node stream. Destroying it cancels the image. */
export function imageReadable(image: ImageStream): ImageReadable {
  // Node's own type of web streams and that of lib.dom do not know each other.
  const readable = Readable.fromWeb(image as NodeReadableStream<Uint8Array>);
  announce(readable, image.version);
  return Object.assign(readable, { mime: image.mime });
}

/** Whoever listens before the next turn, as one who awaited the stream does, hears the event; any later listener is told alone. */
function announce(readable: Readable, version: string): void {
  setImmediate(() => {
    readable.emit(versionEvent, version);
    readable.on("newListener", (event: string | symbol, listener: (version: string) => void) => {
      if (event === versionEvent) setImmediate(() => listener.call(readable, version));
    });
  });
}
