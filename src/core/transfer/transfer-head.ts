/** The facts about an image that are known when its transfer has begun. */

import { isMediaType } from "../checks.ts";
import type { Validators } from "../freshness/validators.ts";
import type { ImageIdentity } from "../identity.ts";
import type { JournalHeader } from "../store/journal.ts";
import type { UpstreamFile } from "../upstream/job.ts";
import { withinTime } from "../waiting.ts";

/** How a transfer began. */
export type TransferStart =
  /** The store has it: the copy is still right, or another process has just committed one. See the outcome. */
  { readonly kind: "cached" } | TransferHead;

/** Bytes are on their way. */
export interface TransferHead {
  readonly kind: "body";
  readonly mime: string;
  /** Bytes of the image, if they are certain before they have come. */
  readonly size: number | undefined;
  readonly validators: Validators;
  estimate(): Promise<number | undefined>;
}

/** Of a response of the upstream. */
export function headOfFile(file: UpstreamFile): TransferHead {
  const { estimatedBytes } = file.request;
  return {
    kind: "body",
    mime: mimeOf(file),
    size: sizeOf(file),
    validators: file.response.validators,
    estimate: async () =>
      sizeOrNothing(typeof estimatedBytes === "function" ? await answerOf(estimatedBytes) : estimatedBytes),
  };
}

/** Room is made for it and progress counted by it. So a value that is no size (`NaN`, for example) must not get there. */
function sizeOrNothing(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** Of use only if it comes soon: a transfer must never wait on a guess. */
const estimateTimeoutMs = 3_000;

/** An estimate that is late, or fails, is none. */
async function answerOf(ask: () => Promise<number | undefined>): Promise<number | undefined> {
  try {
    return await withinTime(ask, estimateTimeoutMs, () => undefined);
  } catch {
    return undefined;
  }
}

/** The image's size as its source guesses it. It is not asked for if the file's length is known, which tells more. */
export async function guessOf({ size, validators, estimate }: TransferHead): Promise<number | undefined> {
  return size === undefined && validators.size === undefined ? estimate() : undefined;
}

/** Of another process' transfer. */
export function headOfJournal({ mime, size, validators }: JournalHeader): TransferHead {
  return { kind: "body", mime, size, validators, estimate: async () => undefined };
}

/** What the journal of a transfer says of it. */
export function journalHeader(
  identity: ImageIdentity,
  file: UpstreamFile,
  chunkBytes: number,
  startedAt: number,
): JournalHeader {
  const { request, response } = file;
  return {
    identity,
    startedAt,
    chunkBytes,
    mime: mimeOf(file),
    size: sizeOf(file),
    validators: response.validators,
    isInflated: request.gzip || response.isCoded,
  };
}

/** What the image is once it is inflated; only a file that is taken as it is keeps the upstream's word for it, if that is one. */
export function mimeOf({ request, response }: UpstreamFile): string {
  return !request.gzip && isMediaType(response.mime) ? response.mime : "application/octet-stream";
}

function sizeOf({ request, response }: UpstreamFile): number | undefined {
  return request.exactBytes ?? (request.gzip ? undefined : response.fileBytes);
}
