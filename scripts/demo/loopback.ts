// The demo's own upstream: the tests' loopback balena API, with its image made ahead so that no get waits for it.
import { createHash } from "node:crypto";
import { balenaSdkSource } from "../../src/adapters/balena-sdk/index.ts";
import type { ImageSource, ResolvedImage } from "../../src/core/index.ts";
import { type BalenaApi, startBalenaApi } from "../../test/support/balena-api/index.ts";
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
    `Starting a balena API on loopback and packing an image of ${imageBytes / 2 ** 20} MiB\n`,
  );
  const api = await startBalenaApi({ imageBytes });
  const source = balenaSdkSource({ apiUrl: api.url });
  const close = () => api.close();
  try {
    await api.image(image.deviceType, image.version).prepare();
  } catch (failure) {
    await close();
    throw failure;
  }
  return {
    source,
    steps,
    traffic: () => ({
      requests: api.counters.requests,
      wireBytes: api.counters.bytesSent + api.counters.assetBytes,
    }),
    sha256: ({ variant }, version) => expectedSha256(api, source, { ...image, version, variant }),
    [Symbol.asyncDispose]: close,
  };
}

/** The digest of the API's image, with what configures it. */
async function expectedSha256(
  api: BalenaApi,
  source: ImageSource,
  asked: Pick<ResolvedImage, "deviceType" | "version" | "variant">,
): Promise<string> {
  const plain = api.image(asked.deviceType, asked.version);
  const derived = await source.derive?.({ ...asked, fileType: ".img" });
  if (!derived) return plain.sha256;
  const bytes = Buffer.from(plain.bytes());
  const read = async (start: number, end: number) => new Uint8Array(bytes.subarray(start, end));
  const { signal } = new AbortController();
  const spans = await derived.edit({ size: bytes.length, signal, read });
  for (const span of spans) bytes.set(span.bytes, span.start);
  return createHash("sha256").update(bytes).digest("hex");
}
