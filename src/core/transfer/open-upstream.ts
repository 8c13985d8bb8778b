/** Requests the file of a transfer from the upstream. It decides the file types, the conditions and the number of attempts. */
import type { ManagerContext } from "../context.ts";
import { isImageManagerError, isUpstreamUnavailable } from "../errors.ts";
import { judgeFreshness } from "../freshness/judge.ts";
import type { Validators } from "../freshness/validators.ts";
import { isMadeEachTime } from "../identity.ts";
import { readChunk } from "../store/chunk-store.ts";
import type { Manifest } from "../store/manifest.ts";
import { discard } from "../upstream/file-response.ts";
import type { ChunkTools, DownloadJob, UpstreamFile, WireKeep } from "../upstream/job.ts";
import { openFile } from "../upstream/open-file.ts";
import { areOfParts } from "../upstream/part-list.ts";
import { openRestOrWhole, type RequestConditions } from "../upstream/request.ts";
import { createRetries, withRetries } from "../upstream/retry.ts";
import type { Tally } from "./tally.ts";
import type { TransferOptions } from "./transfer-options.ts";

type FileTypes = readonly Validators["fileType"][];

/** A transfer's way to its upstream. */
export interface Upstream {
  readonly job: DownloadJob;
  open(conditions: RequestConditions, fileTypes?: FileTypes): Promise<UpstreamFile>;
  /** The upstream's newer file; or that the stored copy is still right, and what the upstream says of it now. */
  openUnlessFresh(): Promise<UpstreamFile | { readonly fresh: Validators | undefined }>;
}

/** Makes it. Nothing is asked yet. `onRequest` is told of each attempt. */
export function createUpstream(
  context: ManagerContext,
  options: TransferOptions,
  wire: WireKeep,
  signal: AbortSignal,
  onRequest: () => void,
  tally: Tally,
): Upstream {
  const { identity, id, previous, isImpatient } = options;
  const { source, fetch, inflater, retry, connections, memory, hash, emit, lookUpTimeoutMs } = context;
  const stored: ChunkTools["stored"] = (digest, length, signal) =>
    readChunk(context, digest, length, signal).catch(() => undefined);
  const job: DownloadJob = {
    id,
    mayAskForWhole: !isImpatient,
    image: { deviceType: identity.deviceType, version: identity.version, variant: identity.variant },
    fileTypes: fileTypesToAsk(identity.variant.fileType, previous?.validators.fileType),
    request: (image) => {
      onRequest();
      return source.request(image);
    },
    fetch,
    inflater,
    ranges: { connections, memory },
    chunks: { hash, memory, ...(options.isStored && { stored }) },
    retry,
    signal,
    wire,
    onResumed: (fromByte, cause) => emit({ type: "resumed", image: id, fromByte, cause }),
    onBytes: tally.addWireBytes,
  };

  const retried = <T>(run: () => Promise<T>): Promise<T> =>
    withRetries(createRetries(isImpatient ? { ...retry, attempts: 1 } : retry), signal, run);
  // A get that has a copy waits no longer than for any other look-up.
  const idleTimeoutMs = isImpatient ? Math.min(retry.idleTimeoutMs, lookUpTimeoutMs) : retry.idleTimeoutMs;
  const opening = { ...job, retry: { ...retry, idleTimeoutMs } };
  const ask = (conditions: RequestConditions, fileTypes: FileTypes, from: DownloadJob = opening) =>
    retried(() => openRestOrWhole(conditions, (asked) => openFile({ ...from, fileTypes }, asked)));

  /** Without a validator to send, a GET would begin to bring the image. If the HEAD does not settle it, the GET does. */
  const confirmedByHead = async (stored: Validators, from: DownloadJob): Promise<Validators | undefined> => {
    if (stored.etag !== undefined || stored.lastModified !== undefined) return undefined;
    const seen = await retried(() => askHead({ ...from, fileTypes: [stored.fileType] }));
    return seen && isComparable(stored, seen) && isStillFresh(stored, seen) ? seen : undefined;
  };

  const openUnlessFresh = async (stored: Validators | undefined, from: DownloadJob) => {
    const head = stored && (await confirmedByHead(stored, from));
    if (head) return { fresh: head };
    const file = await ask({ unless: stored }, job.fileTypes, from);
    if (!("request" in file)) return { fresh: undefined };
    if (!stored || !isStillFresh(stored, file.response.validators)) return file;
    await discard(file.response);
    return { fresh: file.response.validators };
  };

  return {
    job,
    // Only `unless` is answered by anything else.
    open: async (conditions, fileTypes = job.fileTypes) => (await ask(conditions, fileTypes)) as UpstreamFile,
    async openUnlessFresh() {
      const stored = previous && validatorsOf(previous);
      if (!stored?.isWhole) return openUnlessFresh(stored, opening);
      try {
        return await openUnlessFresh(stored, { ...opening, isWhole: true });
      } catch (failure) {
        // A file that the upstream no longer hands out whole may be there in parts by now.
        if (!isVersionNotFound(failure)) throw failure;
        return openUnlessFresh(stored, opening);
      }
    },
  };
}

/** The size of an image that is made each time says nothing of another one. */
function validatorsOf({ identity, validators }: Manifest): Validators {
  return isMadeEachTime(identity.variant) ? { ...validators, size: undefined } : validators;
}

function fileTypesToAsk(
  wanted: Validators["fileType"] | undefined,
  stored: Validators["fileType"] | undefined,
): FileTypes {
  if (wanted) return [wanted];
  return stored === ".img" ? [".img", ".gz"] : [".gz", ".img"];
}

/** `undefined` if HEAD is refused with any status: a URL may be signed for GET alone. */
async function askHead(job: DownloadJob): Promise<Validators | undefined> {
  try {
    const { response } = (await openFile(job, { isHeadersOnly: true })) as UpstreamFile;
    await discard(response);
    return response.validators;
  } catch (failure) {
    job.signal.throwIfAborted();
    if (isUpstreamUnavailable(failure) && !isUnknownMethod(failure)) throw failure;
    return undefined;
  }
}

/** Servers that make files on the way may leave their length out of an answer to HEAD alone. */
function isComparable(stored: Validators, upstream: Validators): boolean {
  return stored.size === undefined || upstream.size !== undefined || upstream.lastModified !== undefined;
}

/** 501: elsewhere it counts as trouble, but a server that does not know HEAD will not know it later. */
function isUnknownMethod(failure: unknown): boolean {
  return (failure as { status?: number }).status === 501;
}

const isVersionNotFound = (failure: unknown) =>
  isImageManagerError(failure) && failure.code === "VERSION_NOT_FOUND";

function isStillFresh(stored: Validators, upstream: Validators): boolean {
  if (stored.fileType !== upstream.fileType) return false;
  // The parts make the very gzip file that `/download` hands out: between these two ways, the file's length is what can be compared.
  if (areOfParts(stored) !== areOfParts(upstream))
    return stored.size === undefined || stored.size === upstream.size;
  return judgeFreshness(stored, upstream) === "fresh";
}
