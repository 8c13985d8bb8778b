// Compiled in the same project, with the types of Cloudflare Workers and none of Node or the DOM; never run.
import { createImageManager } from "balena-image-manager";
import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
import { r2Adapter } from "balena-image-manager/adapters/cloudflare-r2";
import { mirrorSource } from "balena-image-manager/adapters/mirror";
import { createImageHandler } from "balena-image-manager/http";

export default {
  fetch(request, env, context) {
    const storage = r2Adapter({ binding: env.IMAGES });
    const images = createImageManager({ source: balenaApiSource({ fetch }), storage, maxBytes: 50e9, fetch });
    mirrorSource({ url: "https://images.example.com", fetch }).id.length.toFixed();
    return createImageHandler(images, { mirror: true, waitUntil: (work) => context.waitUntil(work) })(
      request,
    );
  },
} satisfies ExportedHandler<{ IMAGES: R2Bucket }>;
