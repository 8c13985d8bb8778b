// A Worker that serves images from an R2 bucket. It stores an image when it is first requested. In wrangler.toml:
//   r2_buckets = [{ binding = "IMAGES", bucket_name = "balena-images" }]
// Secrets: ACCESS_KEY, which clients send as a bearer token; API_URL, if the API is not balenaCloud's.
import { createImageManager } from "balena-image-manager";
import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
import { type R2BucketBinding, r2Adapter } from "balena-image-manager/adapters/cloudflare-r2";
import { createImageHandler } from "balena-image-manager/http";

interface Env {
  readonly IMAGES: R2BucketBinding;
  readonly ACCESS_KEY: string;
  readonly API_URL?: string;
}

interface Context {
  waitUntil(work: Promise<unknown>): void;
}

export default {
  async fetch(request: Request, env: Env, context: Context): Promise<Response> {
    // One manager a request: a Worker must not wait in one request for what belongs to another.
    const images = createImageManager({
      source: balenaApiSource({ apiUrl: env.API_URL }),
      storage: r2Adapter({ binding: env.IMAGES }),
      memoryBytes: 32 * 1024 * 1024, // of the 128 MiB that a Worker has
      freshness: { maxAgeMs: 10 * 60 * 1000 },
    });
    const handler = createImageHandler(images, {
      authorize: ({ headers }) => headers.get("authorization") === `Bearer ${env.ACCESS_KEY}`,
      waitUntil: (work) => context.waitUntil(work),
    });
    return handler(request);
  },
};
