/** `prefetch`: downloads an image into the cache without delivering it. */
import type { ManagerContext } from "../context.ts";
import { type FoundImage, findImage, type SoughtImage } from "../delivery/find-image.ts";
import type { Way } from "../delivery/find-way.ts";
import { checkedGetOptions } from "../delivery/get-options.ts";
import { createProgress, type ProgressReporter } from "../delivery/progress.ts";
import { shareOf } from "../delivery/share-of-file.ts";
import { ImageChangedError, InvalidArgumentError } from "../errors.ts";
import { carriesCredentials } from "../identity.ts";
import { checkedRequest } from "../lookup/request.ts";
import { toImageInfo } from "../store/manifest.ts";
import { guessOf } from "../transfer/transfer-head.ts";
import type { GetOptions, ImageInfo } from "../types.ts";
import { pauseBeforeRetry } from "../upstream/retry.ts";
import { unlessAborted } from "../waiting.ts";

/** More transfers of an image that changes on its way. A prefetch has delivered nothing that the new bytes would contradict. */
const maxMoreTransfers = 2;

/** See {@link ImageManager.prefetch}. */
export async function prefetch(
  context: ManagerContext,
  deviceType: string,
  wanted = "latest",
  options: GetOptions = {},
): Promise<ImageInfo> {
  const { variant, cache, onProgress, waitUntil } = checkedGetOptions(options);
  if (cache === "no-store")
    throw new InvalidArgumentError('"cache" must not be "no-store" for prefetch, which stores the image');
  if (options.range)
    throw new InvalidArgumentError('"range" is not allowed for prefetch, which stores the whole image');
  const checked = await checkedRequest(context, deviceType, wanted, options, cache !== "only-if-cached");
  const request = { ...checked, insistsOnStoring: true };
  const progress = onProgress && createProgress(onProgress, context.now);
  const decideMode: SoughtImage["decideMode"] = (derived) => {
    if (derived || !carriesCredentials(variant)) return cache;
    throw new InvalidArgumentError("An image that contains credentials (appId, wifiKey) is never stored");
  };
  for (let more = 0; ; more++) {
    const found = await findImage(context, request, { variant, cache, decideMode });
    try {
      return await stored(found, progress, request.signal, waitUntil);
    } catch (failure) {
      if (!(failure instanceof ImageChangedError) || more === maxMoreTransfers) throw failure;
      await pauseBeforeRetry(context.retry, more + 1, failure, request.signal);
    }
  }
}

async function stored(
  { id, way }: FoundImage,
  progress: ProgressReporter | undefined,
  signal: AbortSignal,
  waitUntil: GetOptions["waitUntil"],
): Promise<ImageInfo> {
  if (way.kind === "cached") return toImageInfo(id, way.manifest);
  try {
    waitUntil?.(way.transfer.outcome.catch(() => undefined));
    const reporting = progress && report(way, progress);
    const { manifest, obstacle } = await unlessAborted(signal, () => way.transfer.outcome);
    if (!manifest) throw obstacle;
    await reporting;
    return toImageInfo(id, manifest);
  } finally {
    way.release();
  }
}

async function report(way: Extract<Way, { kind: "transfer" }>, progress: ProgressReporter): Promise<void> {
  const { window } = way.transfer;
  progress.setTotal(way.head.size);
  // Not waited for: an estimate may be late, or never come.
  void guessOf(way.head).then(progress.setGuess);
  let seen = 0;
  while (await window.hasMoreThan(seen)) {
    seen = window.digests.length;
    progress.report(window.size, shareOf(window, 0, window.size));
  }
  if (window.isWhole) progress.finish(window.size);
}
