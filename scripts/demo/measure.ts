// Does one get of the demo to its last byte and takes its measure.
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import type { ImageManager, ImageStream } from "../../src/core/index.ts";
import { bytesIn } from "../../test/support/bytes-in.ts";
import { createProgressBar } from "./output.ts";
import type { Step, Upstream } from "./upstream.ts";

/** What a get came to. */
export interface Measurement {
  readonly name: string;
  readonly image: string;
  readonly origin: ImageStream["origin"];
  readonly bytes: number;
  readonly wireBytes: number;
  /** From the call to the commit. */
  readonly seconds: number;
  readonly requests: number;
  /** Bytes of all files in the store afterwards. */
  readonly storedBytes: number;
  readonly sha256: string;
  /** Whether that is what the upstream has; `undefined` where it does not say. */
  readonly isExpected: boolean | undefined;
}

/** Gets an image, hashes it, and writes it to `out` where that is given. */
export async function measure(
  images: ImageManager,
  upstream: Upstream,
  step: Step,
  { base, out, signal }: { base: string; out: string | undefined; signal: AbortSignal },
): Promise<Measurement> {
  const before = upstream.traffic();
  const startedAt = performance.now();
  const bar = createProgressBar(step.name);
  let stream: ImageStream;
  let read: { bytes: number; sha256: string };
  try {
    const onProgress = bar.update;
    stream = await images.get(step.deviceType, step.version, { ...step.variant, signal, onProgress });
    read = await (out === undefined ? drain(stream) : writeFile(stream, out));
    await stream.committed();
  } finally {
    bar.stop();
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const after = upstream.traffic();
  const expected = await upstream.sha256(step, stream.version);
  return {
    name: step.name,
    image: `${stream.deviceType} ${stream.version}`,
    origin: stream.origin,
    ...read,
    wireBytes: after.wireBytes - before.wireBytes,
    seconds,
    requests: after.requests - before.requests,
    storedBytes: await bytesIn(base),
    isExpected: expected === undefined ? undefined : expected === read.sha256,
  };
}

async function drain(stream: ImageStream): Promise<{ bytes: number; sha256: string }> {
  const meter = createMeter();
  for await (const _ of meter.pass(stream));
  return meter.result();
}

/** The file gets its name when it is whole. */
async function writeFile(stream: ImageStream, path: string): Promise<{ bytes: number; sha256: string }> {
  const meter = createMeter();
  const part = `${path}.part`;
  try {
    await pipeline(meter.pass(stream), createWriteStream(part));
    await rename(part, path);
  } catch (failure) {
    await rm(part, { force: true });
    throw failure;
  }
  return meter.result();
}

function createMeter() {
  const hash = createHash("sha256");
  let bytes = 0;
  return {
    async *pass(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const piece of stream) {
        hash.update(piece);
        bytes += piece.length;
        yield piece;
      }
    },
    result: () => ({ bytes, sha256: hash.digest("hex") }),
  };
}
