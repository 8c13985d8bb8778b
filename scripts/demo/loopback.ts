// The demo's own upstream: the tests' loopback balena API, with its images made ahead so that no get waits for them.
import { balenaSdkSource } from "../../src/adapters/balena-sdk/index.ts";
import { startBalenaApi } from "../../test/support/balena-api/index.ts";
import type { Step, Upstream } from "./upstream.ts";

const image = { deviceType: "raspberrypi4-64", version: "6.1.0" };
const steps: readonly Step[] = [
  { ...image, name: "first get", variant: {} },
  { ...image, name: "second get", variant: {} },
  { ...image, name: "development variant", variant: { developmentMode: true } },
];

/** Starts it. */
export async function loopbackUpstream(imageBytes: number): Promise<Upstream> {
  process.stdout.write(
    `Starting a balena API on loopback and packing two images of ${imageBytes / 2 ** 20} MiB\n`,
  );
  const api = await startBalenaApi({ imageBytes });
  const served = (step: Step, version = step.version) =>
    api.image(step.deviceType, version, { developmentMode: step.variant.developmentMode });
  const close = () => api.close();
  try {
    for (const step of steps) await served(step).prepare();
  } catch (failure) {
    await close();
    throw failure;
  }
  return {
    source: balenaSdkSource({ apiUrl: api.url }),
    steps,
    traffic: () => ({
      requests: api.counters.requests,
      wireBytes: api.counters.bytesSent + api.counters.assetBytes,
    }),
    sha256: (step, version) => served(step, version).sha256,
    [Symbol.asyncDispose]: close,
  };
}
