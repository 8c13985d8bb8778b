/** Where the bytes of damaged chunks come from: ranges of the raw image, or the parts that cover them. */
import type { ManagerContext } from "../context.ts";
import { UpstreamError } from "../errors.ts";
import type { Manifest } from "../store/manifest.ts";
import { isImageChunks } from "../upstream/chunk-list.ts";
import { discard, type FileBody } from "../upstream/file-response.ts";
import type { DownloadJob } from "../upstream/job.ts";
import { areOfParts, isImageParts, partsValidators } from "../upstream/part-list.ts";
import { readUpstreamFile } from "../upstream/read-file.ts";
import { createPartsReader, type PartsReader } from "../upstream/read-parts.ts";
import { requestFile } from "../upstream/request.ts";
import { createRetries } from "../upstream/retry.ts";
import { withinTimeout } from "../upstream/within-timeout.ts";

/** The upstream of one stream that heals. What it reads is compared with the manifest, so no validator is needed. */
export interface HealSource {
  /** Whether all spans together, in the image's order, cost no more than one download. */
  isByParts(): Promise<boolean>;
  /** The bytes from `fromByte` to `toByte` (exclusive). Rejects if the upstream does not hand them out in such a way. */
  read(fromByte: number, toByte: number, signal: AbortSignal): Promise<AsyncGenerator<Uint8Array>>;
  close(): void;
}

/** Nothing is asked yet. `signal`: the stream's. */
export function createHealSource(
  context: ManagerContext,
  manifest: Manifest,
  signal: AbortSignal,
): HealSource {
  const leaving = new AbortController();
  const left = AbortSignal.any([signal, leaving.signal]);
  let asking: Promise<PartsReader | undefined> | undefined;
  const parts = () => {
    // Where the source does not answer, the other way tells why.
    asking ??= openParts(context, manifest, left).catch(() => undefined);
    return asking;
  };
  return {
    isByParts: async () => (await parts()) !== undefined,
    async read(fromByte, toByte, stopped) {
      const reader = await parts();
      if (reader) return reader.read(fromByte, toByte);
      return readRangeBody(context, await requestSpan(context, manifest, fromByte, toByte, stopped), stopped);
    },
    close() {
      leaving.abort(new DOMException("The stream is over", "AbortError"));
      void asking?.then((reader) => reader?.close()).catch(() => undefined);
    },
  };
}

/** `undefined` if the upstream has no parts of the image, or has parts of another image by now. */
async function openParts(
  context: ManagerContext,
  { identity: { deviceType, version, variant }, validators }: Manifest,
  signal: AbortSignal,
): Promise<PartsReader | undefined> {
  if (validators.fileType !== ".gz" || ![undefined, ".gz"].includes(variant.fileType) || validators.isWhole)
    return undefined;
  const { source, fetch, inflater, retry, hash, memory } = context;
  const image = { deviceType, version, variant };
  const answer = await source.request({ ...image, fileType: ".gz", signal });
  if (!isImageParts(answer)) return undefined;
  const { etag } = await partsValidators(answer.parts);
  if (areOfParts(validators) && etag !== validators.etag) return undefined;
  const job: DownloadJob = {
    id: "",
    image,
    fileTypes: [".gz"],
    request: (asked) => source.request(asked),
    mayAskForWhole: false,
    fetch,
    inflater,
    chunks: { hash, memory },
    retry,
    signal,
    onResumed: () => undefined,
  };
  return createPartsReader(job, answer);
}

async function requestSpan(
  context: ManagerContext,
  manifest: Manifest,
  fromByte: number,
  toByte: number,
  signal: AbortSignal,
): Promise<FileBody> {
  const { deviceType, version, variant } = manifest.identity;
  const image = { deviceType, version, variant, fileType: variant.fileType ?? ".img", signal } as const;
  const request = await context.source.request(image);
  if (isImageChunks(request)) {
    const { openChunks } = await import("../upstream/open-chunks.ts");
    const job = { id: "", chunks: { hash: context.hash, memory: context.memory }, signal };
    const file = await openChunks(job, ".img", request, { span: { fromByte, toByte } });
    return file.response as FileBody; // no condition was sent that nothing new could answer
  }
  if (isImageParts(request))
    throw new UpstreamError("The upstream delivers the image in parts", { unavailable: false });
  const response = await withinTimeout(context.retry.idleTimeoutMs, signal, (timed) =>
    requestFile(context.fetch, image, request, { span: { fromByte, toByte } }, timed),
  );
  if (response.kind === "body" && response.fromByte === fromByte && !request.gzip) return response;
  if (response.kind === "body") await discard(response);
  throw new UpstreamError("The upstream does not deliver ranges", { unavailable: false });
}

function readRangeBody(
  context: ManagerContext,
  response: FileBody,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  return readUpstreamFile(
    { request: { url: "", gzip: false }, response: { ...response, fileBytes: undefined } },
    {
      idleTimeoutMs: context.retry.idleTimeoutMs,
      signal,
      // A break is no reason to ask again here: the transfer that is tried next does that.
      retries: createRetries({ ...context.retry, attempts: 1 }),
      reopen: () => Promise.reject(new UpstreamError("The range broke off")),
      onPosition: () => undefined,
      onResumed: () => undefined,
    },
  );
}
