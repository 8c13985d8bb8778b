/** Downloads an image part by part into a sink. Each part is continued after breaks, inflated, and verified by its length and CRC-32. */
import { IntegrityError } from "../errors.ts";
import { inflatePart, PartDamaged } from "./inflate-part.ts";
import type {
  DownloadJob,
  DownloadResult,
  DownloadSink,
  OpenedParts,
  PartOpener,
  SinkMark,
  UpstreamFile,
} from "./job.ts";
import { partAt, sum, wireBytesBefore } from "./part-list.ts";
import { FileRestarted, readUpstreamFile } from "./read-file.ts";
import { openRestOrWhole } from "./request.ts";
import { createRetries, type Retries, withRetries } from "./retry.ts";

/** Last bytes of a part that are on their way when the next one is asked for. */
const nearEndBytes = 1024 * 1024;

/** All parts from the opened one on. Settles when the last byte is in the sink, proven. */
export async function downloadParts(
  job: DownloadJob,
  opened: UpstreamFile & { readonly parts: OpenedParts },
  sink: DownloadSink,
): Promise<DownloadResult> {
  const { supply, first, mark } = opened.parts;
  const { index } = partAt(supply.parts, opened.response.fromByte ?? 0);
  if (mark) await sink.rewind(mark, "compare");
  else sink.begin(0);
  try {
    let early: UpstreamFile | undefined = first;
    for (let next = index; next < supply.parts.length; next++) {
      await bringPart({ job, supply, index: next, sink, retries: createRetries(job.retry) }, early);
      early = undefined;
    }
    return { isProven: true, opened };
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
}

/** One part, through breaks, a change under its address, and one failed proof. */
async function bringPart(task: PartTask, early: UpstreamFile | undefined): Promise<void> {
  const { job, supply, sink } = task;
  const mark = sink.mark();
  let file = early ?? (await open(task));
  for (let damages = 0; ; ) {
    try {
      return await pour(task, file);
    } catch (failure) {
      if (failure instanceof FileRestarted) {
        job.onResumed(wireBytesBefore(supply.parts, task.index), failure.cause);
        await sink.rewind(mark, isSameFile(file, failure.opened) ? "compare" : "replace");
        file = failure.opened;
      } else if (failure instanceof PartDamaged) {
        damages += 1;
        await sink.rewind(mark, "replace"); // first: then a process that dies now leaves no journal that names wrong chunks
        // Twice the address gave bytes that are not those which the upstream has summed.
        if (damages > 1) throw unsound(job, mark, failure);
        job.onResumed(wireBytesBefore(supply.parts, task.index), failure);
        file = await open(task);
      } else throw failure;
    }
  }
}

/** The part's bytes to the sink, from the file's first on. */
async function pour({ job, supply, index, sink, retries }: PartTask, file: UpstreamFile): Promise<void> {
  const part = supply.parts[index]!;
  const before = wireBytesBefore(supply.parts, index);
  const totalBytes = sum(supply.parts, "wireBytes");
  let furthest = 0;
  const wire = readUpstreamFile(file, {
    idleTimeoutMs: job.retry.idleTimeoutMs,
    signal: job.signal,
    retries,
    reopen: (conditions) =>
      withRetries(retries, job.signal, () =>
        openRestOrWhole(conditions, (asked) => supply.open(index, asked, job.signal)),
      ),
    onResumed: (fromByte, cause) => job.onResumed(before + fromByte, cause),
    onPosition(offset) {
      if (offset > furthest) retries.progressed();
      furthest = Math.max(furthest, offset);
      sink.noteFile({ bytes: before + offset, totalBytes });
      if (part.wireBytes - offset <= nearEndBytes) supply.openAhead(index, job.signal);
    },
  });
  for await (const piece of inflatePart(part, wire, job.inflater)) await sink.write(piece);
}

/** Another file at the same address may have other bytes. The part's checksum then says which are right. */
const isSameFile = (one: UpstreamFile, other: UpstreamFile) =>
  one.response.validators.etag === other.response.validators.etag;

const open = ({ supply, index, retries, job }: PartTask) =>
  withRetries(retries, job.signal, () => supply.open(index, {}, job.signal));

function unsound({ id }: DownloadJob, { chunk }: SinkMark, cause: PartDamaged): IntegrityError {
  return new IntegrityError(id, chunk, { cause, message: `${cause.message}, also after a second download` });
}
