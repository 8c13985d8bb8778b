// Stands in for the frameworks that load a file as a route: Nitro with h3 and unstorage themselves, Next.js by what it calls of a route.
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { serve } from "balena-image-manager/node";
import { createApp, fromNodeMiddleware, toNodeListener } from "h3";
import { createStorage, prefixStorage } from "unstorage";
import fsDriver from "unstorage/drivers/fs";

if (existsSync("nitro.js")) {
  const storage = createStorage();
  storage.mount("images", fsDriver({ base: "./image-cache" }));
  Object.assign(globalThis, { fromNodeMiddleware, useStorage: (base) => prefixStorage(storage, base) });
  const { default: route } = await import("./nitro.js");
  // A route of Nitro sees the whole path.
  createServer(toNodeListener(createApp().use(route))).listen(8080);
} else {
  const route = await import("./next.js");
  const refused = () => new Response(null, { status: 405 });
  await serve((request) => (route[request.method] ?? refused)(request), { port: 8080 });
}
