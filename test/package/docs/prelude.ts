// What examples use and do not declare, really set up. Copied beside the examples, which import from here what they lack.
import {
  createImageManager,
  type GetOptions,
  type ImageManagerOptions,
  type ImageSource,
  type StoreDriver,
} from "balena-image-manager";
import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
import { memoryAdapter } from "balena-image-manager/adapters/memory";
import { createImageHandler } from "balena-image-manager/http";

export type { R2BucketBinding as R2Bucket } from "balena-image-manager/adapters/cloudflare-r2";

/** What a fragment can be a part of. */
export type Part =
  | Partial<ImageManagerOptions>
  | Partial<GetOptions>
  | Partial<StoreDriver>
  | Partial<ImageSource>;

export const source = balenaApiSource();
export const storage = memoryAdapter();
export const images = createImageManager({ source, storage, maxBytes: 50e9 });
export const manager = images;
export const handler = createImageHandler(images);
export const request = new Request("http://localhost/images/raspberrypi4-64/6.1.0");

// For `list`, `pin` and `verify` there should be something to find.
await images.prefetch("raspberrypi4-64", "6.1.0");

type Handler = (request: Request) => Response | Promise<Response>;
interface Runtimes {
  readonly Bun: {
    serve(options: { port?: number; idleTimeout?: number; fetch: Handler }): {
      readonly url: URL;
      stop(): Promise<void>;
    };
  };
  readonly Deno: {
    readonly args: readonly string[];
    serve(options: { port?: number }, handler: Handler): { shutdown(): Promise<void> };
    serve(handler: Handler): { shutdown(): Promise<void> };
    open(
      path: string,
      options: { write?: boolean; create?: boolean; truncate?: boolean },
    ): Promise<{ readonly writable: WritableStream<Uint8Array> }>;
  };
}

/** The little that examples use of Bun's and Deno's own globals, whose types are not installed. */
export const { Bun, Deno } = globalThis as unknown as Runtimes;
