// balenaCloud as the demo's upstream, with the login that the balena CLI stored, if there is one.
import { getSdk } from "balena-sdk";
import { balenaSdkSource } from "../../src/adapters/balena-sdk/index.ts";
import type { Upstream } from "./upstream.ts";

/** Prepares it; asks nothing yet. */
export async function liveUpstream(image: { deviceType: string; version: string }): Promise<Upstream> {
  const traffic = { requests: 0, wireBytes: 0 };
  const sdk = getSdk({ apiUrl: "https://api.balena-cloud.com" });
  sdk.interceptors.push({
    request(request) {
      traffic.requests += 1;
      return request;
    },
  });
  return {
    source: balenaSdkSource({ sdk }),
    steps: [{ ...image, name: "get", variant: {} }],
    fetch: countingFetch(traffic),
    traffic: () => ({ ...traffic }),
    sha256: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function countingFetch(traffic: { requests: number; wireBytes: number }): typeof fetch {
  return async (...request) => {
    traffic.requests += 1;
    const response = await fetch(...request);
    const counter = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(bytes, controller) {
        traffic.wireBytes += bytes.length;
        controller.enqueue(bytes);
      },
    });
    return new Response(response.body?.pipeThrough(counter) ?? null, response);
  };
}
