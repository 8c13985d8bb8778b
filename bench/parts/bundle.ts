// What the package adds to a Worker: core, API source and R2 adapter, bundled, minified and gzipped.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { atMost, type Part } from "../report/part.ts";

const entry = `
  export { createImageManager } from "./src/core/index.ts";
  export { balenaApiSource } from "./src/adapters/balena-api/index.ts";
  export { r2Adapter } from "./src/adapters/cloudflare-r2/index.ts";`;

/** Bundles the sources. */
export async function bundle(): Promise<Part> {
  const resolveDir = fileURLToPath(new URL("../..", import.meta.url));
  const { outputFiles } = await build({
    ...{ stdin: { contents: entry, resolveDir }, bundle: true, minify: true, write: false },
    ...{ format: "esm", target: "es2022", platform: "neutral", mainFields: ["module", "main"] },
  });
  const kib = gzipSync(outputFiles![0]!.contents, { level: 9 }).length / 1024;
  return {
    title: "Bundle",
    table: [],
    goals: [atMost("core + balena-api + R2 adapter, minified, gzipped", 38, kib, " KiB")],
  };
}
