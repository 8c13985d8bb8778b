// A Worker as its users write one: a manager for each request, over the store that all requests share; the image is the response.
import { balenaApiSource } from "../../../src/adapters/balena-api/index.ts";
import { type R2BucketBinding, r2Adapter } from "../../../src/adapters/cloudflare-r2/index.ts";
import { type S3AdapterOptions, s3Adapter } from "../../../src/adapters/s3/index.ts";
import { createImageManager, type GetOptions, type LeaseOptions } from "../../../src/core/index.ts";

/** What a request asks for, as JSON in its query. */
export interface ImageQuestion {
  readonly apiUrl: string;
  readonly deviceType: string;
  readonly version: string;
  readonly token?: string;
  readonly fileType?: ".img";
  readonly cache?: "only-if-cached";
  readonly range?: { readonly start: number; readonly end: number };
  /** Whether the fill is given to the request's `waitUntil`. */
  readonly outlives?: boolean;
  readonly lease?: LeaseOptions;
  /** Instead of the bucket. */
  readonly s3?: S3AdapterOptions;
}

export default {
  async fetch(request: Request, env: { BUCKET: R2BucketBinding }, context: WaitUntil): Promise<Response> {
    const question = JSON.parse(new URL(request.url).searchParams.get("ask") ?? "") as ImageQuestion;
    const { apiUrl, token, deviceType, version, outlives, lease, s3 } = question;
    const images = createImageManager({
      source: balenaApiSource({ apiUrl, ...(token !== undefined && { token }) }),
      storage: s3 ? s3Adapter(s3) : r2Adapter({ binding: env.BUCKET }),
      chunkBytes: 1024 * 1024,
      freshness: { maxAgeMs: 60_000 },
      lease,
    });
    const { fileType, cache, range } = question;
    const options: GetOptions = { fileType, cache, range };
    if (outlives) options.waitUntil = (work) => context.waitUntil(work);
    try {
      const image = await images.get(deviceType, version, options);
      return new Response(image, { headers: { "x-origin": image.origin } });
    } catch (error) {
      return new Response(String(error), { status: 500 });
    }
  },
};

interface WaitUntil {
  waitUntil(work: Promise<unknown>): void;
}
