// Compiled in the same project, with the types of Cloudflare Workers and none of Node or the DOM; never run.
import { createImageManager } from "balena-image-manager";
import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
import { r2Adapter } from "balena-image-manager/adapters/cloudflare-r2";
import { createImageHandler } from "balena-image-manager/http";

export default {
  fetch(request, env, context) {
    const storage = r2Adapter({ binding: env.IMAGES });
    const images = createImageManager({ source: balenaApiSource({ fetch }), storage, maxBytes: 50e9, fetch });
    return createImageHandler(images, { waitUntil: (work) => context.waitUntil(work) })(request);
  },
} satisfies ExportedHandler<{ IMAGES: R2Bucket }>;
