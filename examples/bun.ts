// A flashing station: serves images by URL to everyone in the room, and keeps 50 GB of them. bun bun.ts
//   curl -OJL http://localhost:8080/images/raspberrypi4-64/latest
// Talks to balenaCloud, or to the API at BALENA_API_URL.
import { createImageManager } from "balena-image-manager";
import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
import { fsAdapter } from "balena-image-manager/adapters/fs";
import { createImageHandler } from "balena-image-manager/http";

const images = createImageManager({
  source: balenaApiSource({ apiUrl: process.env["BALENA_API_URL"] }),
  storage: fsAdapter({ base: process.env["IMAGE_CACHE"] ?? "./image-cache" }),
  freshness: { maxAgeMs: 10 * 60 * 1000 },
  maxBytes: 50e9,
});

const server = Bun.serve({
  port: Number(process.env["PORT"] ?? 8080),
  idleTimeout: 255, // seconds: a first byte may have to come from far
  fetch: createImageHandler(images, { onError: (error) => console.error(error) }),
});
console.log(`Images are at ${server.url}images/DEVICE_TYPE/VERSION`);
