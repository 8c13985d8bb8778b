// The server as a Worker: a manager for each request, over the bucket that all of them share.
import { type R2BucketBinding, r2Adapter } from "balena-image-manager/adapters/cloudflare-r2";
import { createSite } from "./site.ts";

interface Env {
  readonly BUCKET: R2BucketBinding;
  readonly API_URL: string;
  readonly MAX_AGE_MS: number;
}

interface Context {
  waitUntil(work: Promise<unknown>): void;
}

export default {
  fetch(request: Request, env: Env, context: Context): Promise<Response> {
    const settings = { apiUrl: env.API_URL, maxAgeMs: env.MAX_AGE_MS };
    const site = createSite(settings, r2Adapter({ binding: env.BUCKET }), {
      waitUntil: (work) => context.waitUntil(work),
    });
    return site(request);
  },
};
