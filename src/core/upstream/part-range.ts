/** Reads a range of one part, through breaks. For its reader, the part ends at the end of the range. */
import { isStrongEtag } from "../freshness/judge.ts";
import type { DownloadJob, PartOpener, UpstreamFile } from "./job.ts";
import { readUpstreamFile } from "./read-file.ts";
import { createRetries, withRetries } from "./retry.ts";

/** Bytes of a part as they are sent; `toByte` is exclusive. */
export interface PartRange {
  readonly index: number;
  readonly fromByte: number;
  readonly toByte: number;
}

/** Asks for it. `etag`: of the file that it must be a range of. A server without ranges answers with the whole file. */
export async function openPartRange(
  supply: PartOpener,
  { index, fromByte, toByte }: PartRange,
  etag: string | undefined,
  signal: AbortSignal,
): Promise<UpstreamFile> {
  const ifMatch = isStrongEtag(etag) ? etag : undefined;
  const { request, response } = await supply.open(index, { span: { fromByte, toByte, ifMatch } }, signal);
  if (response.fromByte !== fromByte) return { request, response };
  return { request, response: { ...response, fileBytes: toByte } };
}

/** The bytes of a range whose response has begun. Each range has retries of its own: one that fails is asked for alone. */
export function readPartRange(
  job: DownloadJob,
  supply: PartOpener,
  range: PartRange,
  file: UpstreamFile,
  onPosition: (offset: number) => void = () => undefined,
): AsyncGenerator<Uint8Array> {
  const retries = createRetries(job.retry);
  const { etag } = file.response.validators;
  return readUpstreamFile(file, {
    idleTimeoutMs: job.retry.idleTimeoutMs,
    signal: job.signal,
    retries,
    reopen: ({ resume }) => {
      const rest = { ...range, fromByte: resume?.fromByte ?? range.fromByte };
      return withRetries(retries, job.signal, () => openPartRange(supply, rest, etag, job.signal));
    },
    onResumed: job.onResumed,
    onBytes: job.onBytes,
    onPosition(offset) {
      retries.progressed();
      onPosition(offset);
    },
  });
}
