// A Worker that runs the store contract and more over its R2 binding, a case a request; built without Node compatibility.
import { type R2BucketBinding, r2Adapter } from "../../../src/adapters/cloudflare-r2/index.ts";
import { storeContract } from "../../contract/store-contract.ts";
import { bucketCases } from "./bucket-cases.ts";
import { equal } from "./equal.ts";

/** All cases, with a reason where one is skipped. */
export interface CaseList {
  readonly cases: { readonly name: string; readonly skipped?: string }[];
}

/** How a case came out. */
export interface CaseResult {
  readonly error?: string;
}

interface Env {
  readonly BUCKET: R2BucketBinding;
}

const keyPrefix = "images/";

export default {
  async fetch(request: Request, { BUCKET }: Env): Promise<Response> {
    const wanted = new URL(request.url).searchParams.get("case");
    const runs = new Map<string, () => Promise<void>>();
    const cases: CaseList["cases"] = [];
    await storeContract({
      test: (name, run) => {
        cases.push({ name });
        runs.set(name, run);
      },
      skip: (name, skipped) => void cases.push({ name, skipped }),
      equal,
      create: async () => {
        await r2Adapter({ binding: BUCKET, keyPrefix }).clear?.("", {});
        return r2Adapter({ binding: BUCKET, keyPrefix });
      },
    });
    for (const [name, run] of Object.entries(bucketCases)) {
      cases.push({ name });
      runs.set(name, () => run(BUCKET));
    }
    if (wanted === null) return Response.json({ cases } satisfies CaseList);
    return Response.json(await resultOf(runs.get(wanted)));
  },
};

async function resultOf(run: (() => Promise<void>) | undefined): Promise<CaseResult> {
  try {
    if (!run) throw new Error("There is no such case");
    await run();
    return {};
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
