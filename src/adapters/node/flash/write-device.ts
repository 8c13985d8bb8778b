/**
 * Writes one device. The image's first block, which has the partition table, comes last: a device whose writing ended early has none, so
 * that nothing boots from it or mounts it by mistake.
 */
import { createProgress, type ProgressReporter } from "../../../core/delivery/progress.ts";
import { IntegrityError } from "../../../core/errors.ts";
import type { Block, DeviceCalls, WrittenBlock } from "./device-thread.ts";
import type { CheckedWriteOptions } from "./options.ts";

/** What is written, and how. */
export interface DeviceJob {
  /** As the caller named the device. */
  readonly name: string;
  readonly calls: DeviceCalls;
  readonly blockBytes: number;
  readonly blocks: AsyncIterable<Block>;
  /** Bytes of the image, if they are known already. */
  readonly imageBytes: number | undefined;
  readonly options: Pick<CheckedWriteOptions, "isVerified" | "onProgress"> & {
    readonly signal: AbortSignal | undefined;
  };
  /** Rejects if nothing proves that the image is complete. */
  proven(): Promise<unknown>;
}

/** What has been written. */
export interface DeviceResult {
  readonly size: number;
  /** Zeros that were left out. */
  readonly skippedBytes: number;
}

/** Settles when the device has all of the image. */
export async function writeDevice(job: DeviceJob): Promise<DeviceResult> {
  const { calls, options, proven, imageBytes } = job;
  await calls.wipe(Math.min(job.blockBytes, imageBytes ?? job.blockBytes));
  const { first, rest, size } = await writeRest(job);
  await proven();
  await calls.sync();
  const verify = options.isVerified ? verifierOf(job, size) : async () => undefined;
  for (const block of rest) await verify(block);
  const head = first ? [await calls.write(first)] : [];
  await calls.sync();
  for (const block of head) await verify(block);
  const runs = [...head, ...rest].flatMap((block) => block.runs);
  return { size, skippedBytes: runs.reduce((left, { start, end }) => left - (end - start), size) };
}

/** All but the first block, which is kept. */
async function writeRest(job: DeviceJob) {
  const { calls, blocks, imageBytes, options } = job;
  const writing = reporterOf(job, "writing");
  writing.setTotal(imageBytes);
  const rest: WrittenBlock[] = [];
  let [first, size]: [Block | undefined, number] = [undefined, 0];
  for await (const block of blocks) {
    options.signal?.throwIfAborted();
    if (block.index === 0) first = block;
    else rest.push(await calls.write(block));
    size += block.bytes.length;
    if (first !== block) writing.report(size);
  }
  options.signal?.throwIfAborted();
  writing.finish(size);
  return { first, rest, size };
}

function verifierOf(job: DeviceJob, size: number): (block: WrittenBlock) => Promise<void> {
  const { name, calls, options } = job;
  const verifying = reporterOf(job, "verifying");
  verifying.setTotal(size);
  let verifiedBytes = 0;
  return async ({ index, position, length, ...block }) => {
    options.signal?.throwIfAborted();
    const found = await calls.read({ index, position, length, ...block });
    if (found !== block.sha256) throw differing(name, index, [position, position + length]);
    verifiedBytes += length;
    verifying.report(verifiedBytes);
  };
}

function differing(name: string, index: number, [start, end]: readonly [number, number]): IntegrityError {
  const message = `"${name}" has other bytes than were written, between ${start} and ${end}: it is worn out, smaller than it says, or somebody else writes to it`;
  return new IntegrityError(name, index, { message });
}

function reporterOf(
  { name, options: { onProgress } }: DeviceJob,
  phase: "writing" | "verifying",
): ProgressReporter {
  return createProgress(
    onProgress && ((progress) => onProgress({ ...progress, device: name, phase })),
    Date.now,
  );
}
