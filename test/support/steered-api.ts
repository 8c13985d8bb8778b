// The loopback balena API as the source contract steers it.
import type { SourceContractApi } from "../contract/source-contract.ts";
import type { BalenaApi } from "./balena-api/index.ts";

/** Steers an API that runs in this process. */
export function steer(api: BalenaApi, imageBytes: number): SourceContractApi {
  return {
    url: api.url,
    token: api.token,
    imageBytes,
    addRelease: async (release) => void api.releases.push(release),
    failMetadata: async ({ status, retryAfter }) => {
      Object.assign(api.faults.metadata, { refuse: undefined, lose: undefined });
      if (status === undefined) api.faults.metadata.lose = {};
      else api.faults.metadata.refuse = { status, ...(retryAfter !== undefined && { retryAfter }) };
    },
    delayMetadata: async (latencyMs) => void Object.assign(api.faults.metadata, { latencyMs }),
    takeRequests: async () => api.counters.requestLog.splice(0),
    close: () => api.close(),
  };
}
