// How the ES modules and types of the package are built.
import { defineConfig } from "tsup";

// One entry per subpath export. `splitting` keeps one copy of each error class per format,
// so that `instanceof` works across subpaths.
export default defineConfig({
  entry: {
    index: "src/core/index.ts",
    "adapters/memory": "src/adapters/memory/index.ts",
    "adapters/fs": "src/adapters/fs/index.ts",
    "adapters/s3": "src/adapters/s3/index.ts",
    "adapters/redis": "src/adapters/redis/index.ts",
    "adapters/cloudflare-r2": "src/adapters/cloudflare-r2/index.ts",
    "adapters/azure-blob": "src/adapters/azure-blob/index.ts",
    "adapters/tiered": "src/adapters/tiered/index.ts",
    "adapters/balena-sdk": "src/adapters/balena-sdk/index.ts",
    "adapters/balena-api": "src/adapters/balena-api/index.ts",
    "adapters/mirror": "src/adapters/mirror/index.ts",
    "boot-files": "src/adapters/boot-files/index.ts",
    http: "src/core/http/index.ts",
    node: "src/adapters/node/index.ts",
    v10: "src/adapters/v10/index.ts",
  },
  // scripts/finish-build.ts makes the CommonJS of it.
  format: "esm",
  target: "es2022",
  platform: "neutral",
  // Deno and workerd know Node's modules by their full names alone.
  removeNodeProtocol: false,
  external: [/^node:/],
  dts: true,
  splitting: true,
  // The output is as readable as the sources, and maps would be two thirds of the package.
  sourcemap: false,
  clean: true,
});
