// An upstream that stands still until the test says so: what must happen during a download then happens during it, on any machine.
import type { BalenaApi } from "./balena-api/index.ts";

/** The next download stands still half-way, until the returned function is called or its client leaves. */
export function stallNext(api: BalenaApi, atPercent = 50): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  api.faults.stall = { atPercent, times: 1, until: promise };
  return resolve;
}
