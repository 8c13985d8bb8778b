// workerd: the suites in a Worker, one request a case, with and without Node compatibility.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CaseList, CaseResult } from "../entries/workerd.ts";
import { loadMiniflare } from "./miniflare.ts";
import { type Result, resultOf } from "./results.ts";

/** Runs the suites in a Worker with a bucket of its own. */
export async function testOnWorker(
  project: string,
  controlUrl: string,
  compatibilityFlags: string[],
): Promise<Result[]> {
  const Miniflare = await loadMiniflare();
  const miniflare = new Miniflare({
    modules: true,
    script: await readFile(join(project, "workerd.mjs"), "utf8"),
    compatibilityDate: "2025-06-01",
    compatibilityFlags,
    r2Buckets: ["BUCKET"],
    bindings: { CONTROL_URL: controlUrl },
  });
  const ask = async <T>(query: Record<string, string>): Promise<T> => {
    const response = await miniflare.dispatchFetch(`http://worker/?${new URLSearchParams(query)}`);
    return (await response.json()) as T;
  };
  try {
    const { cases } = await ask<CaseList>({});
    const results: Result[] = [];
    for (const { name, isSkipped } of cases) {
      const { error } = isSkipped ? {} : await limited(name, ask<CaseResult>({ case: name }));
      results.push(resultOf(name, isSkipped ? "skipped" : error === undefined ? "passed" : "failed", error));
    }
    return [
      ...results,
      resultOf("exit :: all (a Worker is no process that could end)", "skipped"),
      resultOf("end after :: all (a Worker is no process that could end)", "skipped"),
      resultOf("require :: all (CommonJS is for Node)", "skipped"),
    ];
  } finally {
    await miniflare.dispose();
  }
}

/** A request that hangs or fails is a case that failed. */
async function limited(name: string, asked: Promise<CaseResult>): Promise<CaseResult> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<CaseResult>((resolve) => {
    timer = setTimeout(() => resolve({ error: `${name}: no answer within 60 seconds` }), 60_000);
  });
  const answered = asked.catch((error: Error) => ({ error: String(error.stack ?? error) }));
  return Promise.race([answered, late]).finally(() => clearTimeout(timer));
}
