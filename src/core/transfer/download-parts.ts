/** Brings an image's raw bytes to a sink part by part: each read on through breaks, inflated, and proven by its length and CRC-32. */
import { IntegrityError } from "../errors.ts";
import type { DownloadJob, DownloadResult, DownloadSink, SinkMark } from "./download.ts";
import { inflatePart, PartDamaged } from "./inflate-part.ts";
import type { OpenedParts } from "./open-parts.ts";
import { partAt, sum, wireBytesBefore } from "./part-list.ts";
import type { PartSupply } from "./part-supply.ts";
import { FileRestarted, type OpenedFile, readUpstreamFile } from "./read-upstream-file.ts";
import type { RequestConditions } from "./request.ts";
import { createRetries, type Retries, withRetries } from "./retry.ts";

/** Last bytes of a part that are on their way when the next one is asked for. */
const nearEndBytes = 1024 * 1024;

/** All parts from the opened one on. Settles when the last byte is in the sink, proven. */
export async function downloadParts(
  job: DownloadJob,
  opened: OpenedFile & { readonly parts: OpenedParts },
  sink: DownloadSink,
): Promise<DownloadResult> {
  const { supply, first } = opened.parts;
  const fromByte = opened.response.fromByte ?? 0;
  const { index, start } = partAt(supply.parts, fromByte);
  sink.begin(fromByte);
  try {
    let early: OpenedFile | undefined = first;
    for (let next = index, skipBytes = fromByte - start; next < supply.parts.length; next++, skipBytes = 0) {
      const task: PartTask = { job, supply, index: next, skipBytes, sink, retries: createRetries(job.retry) };
      const isBrought = await bringPart(task, early);
      early = undefined;
      if (isBrought) continue;
      // Bytes that were taken up from an earlier transfer are in doubt as well: all of it comes again.
      await sink.rewind(start0, "replace");
      next = -1;
    }
    return { isProven: true, opened };
  } finally {
    supply.close();
  }
}

const start0: SinkMark = { chunk: 0, head: new Uint8Array(0) };

interface PartTask {
  readonly job: DownloadJob;
  readonly supply: PartSupply;
  readonly index: number;
  /** Bytes at the part's beginning that the sink has already. */
  readonly skipBytes: number;
  readonly sink: DownloadSink;
  readonly retries: Retries;
}

/** One part, through breaks, a change under its address, and one failed proof. `false` if what was skipped is in doubt. */
async function bringPart(task: PartTask, early: OpenedFile | undefined): Promise<boolean> {
  const { job, supply, sink, skipBytes } = task;
  const mark = sink.mark();
  let file = early ?? (await open(task));
  for (let damages = 0; ; ) {
    try {
      await pour(task, file);
      return true;
    } catch (failure) {
      if (failure instanceof FileRestarted) {
        file = failure.opened;
        job.onResumed(wireBytesBefore(supply.parts, task.index), failure.cause);
        await sink.rewind(mark, "compare");
      } else if (failure instanceof PartDamaged) {
        damages += 1;
        // Twice the address gave bytes that are not those which the upstream has summed.
        if (damages > 1) throw unsound(job, mark, failure);
        job.onResumed(wireBytesBefore(supply.parts, task.index), failure);
        if (skipBytes > 0) return false;
        await sink.rewind(mark, "replace");
        file = await open(task);
      } else throw failure;
    }
  }
}

/** The part's bytes to the sink, from the file's first on. */
async function pour(
  { job, supply, index, skipBytes, sink, retries }: PartTask,
  file: OpenedFile,
): Promise<void> {
  const part = supply.parts[index]!;
  const before = wireBytesBefore(supply.parts, index);
  const totalBytes = sum(supply.parts, "wireBytes");
  let furthest = 0;
  const wire = readUpstreamFile(file, {
    idleTimeoutMs: job.retry.idleTimeoutMs,
    signal: job.signal,
    retries,
    reopen: (conditions) =>
      withRetries(retries, job.signal, () => openUnlessChanged(supply, index, conditions, job.signal)),
    onResumed: (fromByte, cause) => job.onResumed(before + fromByte, cause),
    onPosition(offset) {
      if (offset > furthest) retries.progressed();
      furthest = Math.max(furthest, offset);
      sink.noteFile({ bytes: before + offset, totalBytes });
      if (part.wireBytes - offset <= nearEndBytes) supply.openAhead(index, job.signal);
    },
  });
  let toSkip = skipBytes;
  for await (const piece of inflatePart(part, wire, job.inflater)) {
    const skipped = Math.min(toSkip, piece.length);
    toSkip -= skipped;
    if (skipped < piece.length) await sink.write(piece.subarray(skipped));
  }
}

const open = ({ supply, index, retries, job }: PartTask) =>
  withRetries(retries, job.signal, () => supply.open(index, {}, job.signal));

/** 412: another file is there. 416: one that is shorter. Then it is asked for whole. */
async function openUnlessChanged(
  supply: PartSupply,
  index: number,
  conditions: RequestConditions,
  signal: AbortSignal,
): Promise<OpenedFile> {
  try {
    return await supply.open(index, conditions, signal);
  } catch (failure) {
    const { status } = failure as { status?: number };
    if (conditions.resume && (status === 412 || status === 416)) return supply.open(index, {}, signal);
    throw failure;
  }
}

function unsound({ id }: DownloadJob, { chunk }: SinkMark, cause: PartDamaged): IntegrityError {
  return new IntegrityError(id, chunk, { cause, message: `${cause.message}, and it was fetched twice` });
}
