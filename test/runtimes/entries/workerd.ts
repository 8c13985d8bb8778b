// The suites in a Worker: a request without a case lists them all, one with a case runs it.
import { type R2BucketBinding, r2Adapter } from "../../../src/adapters/cloudflare-r2/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { registerSuites } from "../suites/index.ts";

/** All cases, in order. */
export interface CaseList {
  readonly cases: readonly { readonly name: string; readonly isSkipped: boolean }[];
}

/** How a case came out. */
export interface CaseResult {
  readonly error?: string;
}

interface Env {
  readonly BUCKET: R2BucketBinding;
  readonly CONTROL_URL: string;
}

export default {
  async fetch(request: Request, { BUCKET, CONTROL_URL }: Env): Promise<Response> {
    const runs = new Map<string, (() => Promise<void>) | undefined>();
    await registerSuites({
      test: (name, run) => void runs.set(name, run),
      skip: (name) => void runs.set(name, undefined),
      controlUrl: CONTROL_URL,
      stores: {
        memory: memoryAdapter,
        fs: "a Worker has no disk",
        r2: () => r2Adapter({ binding: BUCKET, keyPrefix: `${crypto.randomUUID()}/` }),
      },
      sdkSource: "the SDK is too heavy for a Worker: 2 MB, and a build of its own",
      node: "a Worker has neither files nor ports",
    });
    const wanted = new URL(request.url).searchParams.get("case");
    if (wanted !== null) return Response.json(await resultOf(runs.get(wanted)));
    const cases = [...runs].map(([name, run]) => ({ name, isSkipped: run === undefined }));
    return Response.json({ cases } satisfies CaseList);
  },
};

async function resultOf(run: (() => Promise<void>) | undefined): Promise<CaseResult> {
  try {
    if (run === undefined) throw new Error("There is no such case");
    await run();
    return {};
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
