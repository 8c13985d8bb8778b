// Our side of the serving benchmark, in a process of its own: the handler over a store on disk.
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { nodeHash, serve } from "../../src/adapters/node/index.ts";
import { createImageHandler } from "../../src/core/http/index.ts";
import { createImageManager } from "../../src/core/index.ts";

const { apiUrl, port, base } = JSON.parse(process.argv[2] ?? "") as Record<"apiUrl" | "base", string> & {
  readonly port: number;
};
const images = createImageManager({
  source: balenaApiSource({ apiUrl }),
  storage: fsAdapter({ base }),
  hash: nodeHash,
  freshness: { maxAgeMs: Number.POSITIVE_INFINITY },
  maxBytes: 100e9,
});
const server = await serve(createImageHandler(images, { onError: console.error }), { port });
process.once("SIGTERM", () => server.close());
