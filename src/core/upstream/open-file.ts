/** Opens an image at its upstream: the first file type that the upstream delivers, or the image's parts. */
import { isImageManagerError, isUpstreamUnavailable, UpstreamError } from "../errors.ts";
import type { ImageFile, ResolvedImage } from "../types.ts";
import { isImageChunks } from "./chunk-list.ts";
import type { DownloadJob, UpstreamAnswer, UpstreamFile } from "./job.ts";
import { openParts } from "./open-parts.ts";
import { isImageParts } from "./part-list.ts";
import { PartsUnavailableError } from "./parts-unavailable.ts";
import { assertPlausible } from "./plausible.ts";
import { type RequestConditions, requestFile } from "./request.ts";
import { withinTimeout } from "./within-timeout.ts";

/** Opens the first file type that the upstream hands out. */
export async function openFile(job: DownloadJob, conditions: RequestConditions): Promise<UpstreamAnswer> {
  for (const [index, fileType] of job.fileTypes.entries()) {
    let opening: UpstreamAnswer;
    try {
      opening = await openFileType(job, fileType, conditions);
    } catch (failure) {
      if (index === job.fileTypes.length - 1 || !isFileTypeRefused(failure)) throw failure;
      continue;
    }
    return "request" in opening && isOneFile(opening) ? plausible(job, opening, conditions) : opening;
  }
  throw new UpstreamError("No file type is left to request", { unavailable: false });
}

async function openFileType(
  job: DownloadJob,
  fileType: ResolvedImage["fileType"],
  conditions: RequestConditions,
): Promise<UpstreamAnswer> {
  const image: ResolvedImage = { ...job.image, fileType, signal: job.signal, isWhole: job.isWhole };
  // Validators of another file say nothing about this one.
  const unless = conditions.unless?.fileType === fileType ? conditions.unless : undefined;
  try {
    const answer = await job.request(image);
    if (isImageParts(answer)) return await openParts(job, answer, { ...conditions, unless });
    if (isImageChunks(answer)) {
      // Loaded when it is needed: only mirrors answer so.
      const { openChunks } = await import("./open-chunks.ts");
      return await openChunks(job, fileType, answer, { ...conditions, unless });
    }
    return havingNoParts(await openWhole(job, image, answer, { ...conditions, unless }));
  } catch (failure) {
    if (!(failure instanceof PartsUnavailableError) || !job.mayAskForWhole) throw failure;
    return instead(job, image, { ...conditions, unless }, failure);
  }
}

/** Opens the image as one file, because its parts can't be had any more. @throws the failure of the parts, if the source knows no file. */
export async function openWholeInstead(
  job: DownloadJob,
  fileType: ResolvedImage["fileType"],
  failure: PartsUnavailableError,
): Promise<UpstreamFile> {
  const image: ResolvedImage = { ...job.image, fileType, signal: job.signal };
  const opening = await instead(job, image, {}, failure);
  return plausible(job, opening as UpstreamFile, {}); // no condition was sent that a 304 could answer
}

async function instead(
  job: DownloadJob,
  image: ResolvedImage,
  conditions: RequestConditions,
  failure: PartsUnavailableError,
): Promise<UpstreamAnswer> {
  const whole = await job.request({ ...image, isWhole: true });
  if (isImageParts(whole) || isImageChunks(whole)) throw failure;
  try {
    return await openWhole(job, image, whole, conditions);
  } catch (refusal) {
    // It has the version in parts: that those can't be had is what went wrong.
    throw isImageManagerError(refusal) && refusal.code === "VERSION_NOT_FOUND" ? failure : refusal;
  }
}

const isOneFile = ({ parts, chunkBytes }: UpstreamFile) => !parts && chunkBytes === undefined;

function havingNoParts(opening: UpstreamAnswer): UpstreamAnswer {
  if (!("request" in opening)) return opening;
  const { request, response } = opening;
  return { request, response: { ...response, validators: { ...response.validators, isWhole: true } } };
}

async function openWhole(
  job: DownloadJob,
  image: ResolvedImage,
  request: ImageFile,
  conditions: RequestConditions,
): Promise<UpstreamAnswer> {
  const response = await withinTimeout(job.retry.idleTimeoutMs, job.signal, (timed) =>
    requestFile(job.fetch, image, request, conditions, timed),
  );
  return response.kind === "body" ? { request, response } : { response };
}

/** A file that was handed out may still be something else: that is no reason to ask for another type. */
async function plausible(
  job: DownloadJob,
  { request, response }: UpstreamFile,
  { isHeadersOnly = false }: RequestConditions,
): Promise<UpstreamFile> {
  const checked = await withinTimeout(job.retry.idleTimeoutMs, job.signal, (timed) =>
    assertPlausible(job.image, request, response, timed, isHeadersOnly),
  );
  return { request, response: checked };
}

/** The upstream hands out this version, but not as this file (or not at all, which the next file type will tell). */
function isFileTypeRefused(failure: unknown): boolean {
  if (!isImageManagerError(failure)) return false;
  return (
    failure.code === "VERSION_NOT_FOUND" || (failure.code === "UPSTREAM" && !isUpstreamUnavailable(failure))
  );
}
