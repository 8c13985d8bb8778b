/** Asks the upstream for one transfer's file: which file types, with which conditions, how often. */
import type { ManagerContext } from "../context.ts";
import { judgeFreshness } from "../freshness/judge.ts";
import type { Validators } from "../store/manifest.ts";
import { type DownloadJob, type Opening, openUnlessUnsatisfiable } from "./download.ts";
import type { OpenedFile } from "./read-upstream-file.ts";
import { discard, type RequestConditions } from "./request.ts";
import { createRetries, withRetries } from "./retry.ts";
import type { TransferOptions } from "./transfer-options.ts";

type FileTypes = readonly Validators["fileType"][];

/** A transfer's way to its upstream. */
export interface Upstream {
  readonly job: DownloadJob;
  open(conditions: RequestConditions, fileTypes?: FileTypes): Promise<OpenedFile>;
  /** The upstream's newer file; `undefined` where the stored copy is still right. */
  openUnlessFresh(): Promise<OpenedFile | undefined>;
}

/** Makes it. Nothing is asked yet. */
export function createUpstream(
  context: ManagerContext,
  options: TransferOptions,
  signal: AbortSignal,
): Upstream {
  const { identity, id, previous, isImpatient } = options;
  const { source, fetch, inflater, retry, emit } = context;
  const job: DownloadJob = {
    image: { deviceType: identity.deviceType, version: identity.version, variant: identity.variant },
    fileTypes: fileTypesToAsk(identity.variant.fileType, previous?.validators.fileType),
    request: (image) => source.request(image),
    fetch,
    inflater,
    retry,
    signal,
    onResumed: (fromByte, cause) => emit({ type: "resumed", image: id, fromByte, cause }),
  };

  const ask = (conditions: RequestConditions, fileTypes: FileTypes): Promise<Opening> => {
    const retries = createRetries(isImpatient ? { ...retry, attempts: 1 } : retry);
    return withRetries(retries, signal, () => openUnlessUnsatisfiable({ ...job, fileTypes }, conditions));
  };

  return {
    job,
    // Only `unless` is answered by anything else.
    open: async (conditions, fileTypes = job.fileTypes) => (await ask(conditions, fileTypes)) as OpenedFile,
    async openUnlessFresh() {
      const stored = previous?.validators;
      const opening = await ask({ unless: stored }, job.fileTypes);
      if (!("request" in opening)) return undefined;
      if (!stored || !isStillFresh(stored, opening.response.validators)) return opening;
      await discard(opening.response);
      return undefined;
    },
  };
}

function fileTypesToAsk(
  wanted: Validators["fileType"] | undefined,
  stored: Validators["fileType"] | undefined,
): FileTypes {
  if (wanted) return [wanted];
  return stored === ".img" ? [".img", ".gz"] : [".gz", ".img"];
}

function isStillFresh(stored: Validators, upstream: Validators): boolean {
  return stored.fileType === upstream.fileType && judgeFreshness(stored, upstream) === "fresh";
}
