/** Downloads an image part by part into a sink. Each part is continued after breaks, inflated, and verified by its length and CRC-32. */
import { IntegrityError } from "../errors.ts";
import { isStrongEtag } from "../freshness/judge.ts";
import { inflatePart, PartDamaged } from "./inflate-part.ts";
import type {
  DownloadJob,
  DownloadResult,
  DownloadSink,
  PartOpener,
  SinkMark,
  UpstreamFile,
  UpstreamParts,
} from "./job.ts";
import { partAt, sum, wireBytesBefore } from "./part-list.ts";
import { rangeBytesOf } from "./range-size.ts";
import { FileRestarted, openRest, type ReadContext } from "./read-file.ts";
import { readInRanges } from "./read-ranges.ts";
import { openRestOrWhole } from "./request.ts";
import { createRetries, type Retries, withRetries } from "./retry.ts";

/** Last bytes of a part that are on their way when the next one is asked for. */
const nearEndBytes = 1024 * 1024;

/** All parts from the one on in which the file begins. Settles when the last byte is in the sink, proven. */
export async function downloadParts(
  job: DownloadJob,
  file: UpstreamFile & { readonly parts: UpstreamParts },
  sink: DownloadSink,
): Promise<DownloadResult> {
  const { supply, first, mark } = file.parts;
  const { index } = partAt(supply.parts, file.response.fromByte ?? 0);
  // What is kept of the part makes its chunks again. Without it nothing says that they are right before all of the part has come.
  if (mark) await sink.rewind(mark, job.wire?.kept(index) ? "compare" : "replace");
  else sink.begin(0);
  try {
    let early = first;
    for (let next = index; next < supply.parts.length; next++) {
      await bringPart({ job, supply, index: next, sink, retries: createRetries(job.retry) }, early);
      early = undefined;
    }
    return { isProven: true, file };
  } finally {
    supply.close();
  }
}

interface PartTask {
  readonly job: DownloadJob;
  readonly supply: PartOpener;
  readonly index: number;
  readonly sink: DownloadSink;
  readonly retries: Retries;
  /** Of the file whose bytes have come last. */
  etag?: string | undefined;
}

/** One part, through breaks, a change under its address, and one failed proof. */
async function bringPart(task: PartTask, early: UpstreamFile | undefined): Promise<void> {
  const { job, supply, sink } = task;
  const mark = sink.mark();
  let file = early;
  for (let damages = 0; ; ) {
    try {
      await pour(task, file);
      return job.wire?.proven(task.index);
    } catch (failure) {
      if (failure instanceof FileRestarted) {
        job.onResumed(wireBytesBefore(supply.parts, task.index), failure.cause);
        // Another file at the same address may have other bytes. The part's checksum then says which are right.
        const isSameFile = failure.file.response.validators.etag === task.etag;
        await dropPart(task, mark, isSameFile ? "compare" : "replace");
        file = failure.file;
      } else if (failure instanceof PartDamaged) {
        damages += 1;
        await dropPart(task, mark, "replace"); // first: then a process that dies now leaves no journal that names wrong chunks
        // Twice the address gave bytes that are not those which the upstream has summed.
        if (damages > 1) throw unsound(job, mark, failure);
        job.onResumed(wireBytesBefore(supply.parts, task.index), failure);
        file = undefined;
      } else throw failure;
    }
  }
}

async function dropPart(
  { job, index, sink }: PartTask,
  mark: SinkMark,
  how: "compare" | "replace",
): Promise<void> {
  await job.wire?.drop(index);
  await sink.rewind(mark, how);
}

/** The part's bytes to the sink, from the part's first on. */
async function pour(task: PartTask, file: UpstreamFile | undefined): Promise<void> {
  const { job, supply, index, sink } = task;
  for await (const piece of inflatePart(supply.parts[index]!, wireOf(task, file), job.inflater))
    await sink.write(piece);
}

/** The part's bytes as they are sent: those that an earlier transfer has kept, then those of its file. */
async function* wireOf(task: PartTask, early: UpstreamFile | undefined): AsyncGenerator<Uint8Array> {
  const { job, supply, index } = task;
  const context = readContext(task);
  const kept = early ? undefined : job.wire?.kept(index);
  let offset = 0;
  task.etag = kept?.etag;
  for await (const piece of kept?.read() ?? []) {
    offset += piece.length;
    context.onPosition(offset);
    yield piece;
  }
  const { wireBytes } = supply.parts[index]!;
  if (kept && offset === wireBytes) return;
  const file = early ?? (kept && offset > 0 ? await openRestOf(task, kept.etag, offset) : await open(task));
  const { etag } = file.response.validators;
  task.etag = etag;
  for await (const piece of readInRanges({ job, supply, index }, file, context)) {
    const taking = isStrongEtag(etag) ? job.wire?.take(index, etag, offset, piece) : undefined;
    offset += piece.length;
    yield piece; // it is inflated while it is kept
    await taking;
  }
}

function openRestOf(task: PartTask, etag: string, fromByte: number): Promise<UpstreamFile> {
  const fileBytes = task.supply.parts[task.index]!.wireBytes;
  const rangeBytes = rangeBytesOf(fileBytes - fromByte, task.job.ranges?.connections ?? 1);
  const toByte = rangeBytes && fromByte + rangeBytes;
  return openRest({ etag, fileBytes }, { fromByte, toByte, etag }, readContext(task), undefined);
}

function readContext({ job, supply, index, sink, retries }: PartTask): ReadContext {
  const part = supply.parts[index]!;
  const before = wireBytesBefore(supply.parts, index);
  const totalBytes = sum(supply.parts, "wireBytes");
  let furthest = 0;
  return {
    idleTimeoutMs: job.retry.idleTimeoutMs,
    signal: job.signal,
    retries,
    reopen: (conditions) =>
      withRetries(retries, job.signal, () =>
        openRestOrWhole(conditions, (asked) => supply.open(index, asked, job.signal)),
      ),
    onResumed: (fromByte, cause) => job.onResumed(before + fromByte, cause),
    onBytes: job.onBytes,
    onPosition(offset) {
      if (offset > furthest) retries.progressed();
      furthest = Math.max(furthest, offset);
      sink.noteFile({ bytes: before + offset, totalBytes });
      if (part.wireBytes - offset <= nearEndBytes) supply.openAhead(index, job.signal);
    },
  };
}

const open = ({ supply, index, retries, job }: PartTask) =>
  withRetries(retries, job.signal, () => supply.open(index, {}, job.signal));

function unsound({ id }: DownloadJob, { chunk }: SinkMark, cause: PartDamaged): IntegrityError {
  return new IntegrityError(id, chunk, { cause, message: `${cause.message}, also after a second download` });
}
