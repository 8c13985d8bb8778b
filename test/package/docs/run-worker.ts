// Runs an example as a Worker: bundled, in workerd, with real buckets.
import { build } from "esbuild";
import { fetch, Miniflare, type Request as WorkerRequest } from "miniflare";
import { pathToAsk, wrongIn } from "./answer.ts";
import type { PlacedExample } from "./project.ts";
import { routed } from "./routes.ts";
import type { Surroundings } from "./run.ts";

const limitMs = 30_000;

/** Asks it once. */
export async function runInWorker(
  example: PlacedExample,
  { servers, sha256 }: Surroundings,
): Promise<{ stdout: string; error: string }> {
  const worker = new Miniflare({
    modules: true,
    script: await bundle(example.path),
    compatibilityDate: "2025-06-01",
    r2Buckets: Array.from(example.code.matchAll(/binding: env\.(\w+)/g), ([, name = ""]) => name),
    outboundService: (request: WorkerRequest) => fetch(routed(request.url, servers), request),
  });
  const asking = worker.dispatchFetch(`http://localhost${pathToAsk(example)}`, {
    signal: AbortSignal.timeout(limitMs),
  });
  try {
    return { stdout: "", error: await wrongIn((await asking) as unknown as Response, example, sha256) };
  } finally {
    await worker.dispose();
  }
}

/** Without Node's modules: a Worker has none unless it asks for them. */
async function bundle(path: string): Promise<string> {
  const { outputFiles } = await build({
    // A tsconfig that it finds may just be on its way to the disk.
    ...{ entryPoints: [path], bundle: true, write: false, logLevel: "warning", tsconfigRaw: {} },
    ...{ format: "esm", target: "es2022", platform: "neutral", mainFields: ["module", "main"] },
  });
  return outputFiles[0]?.text ?? "";
}
