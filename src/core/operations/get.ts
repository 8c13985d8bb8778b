/** `get`: decides between cache and upstream, and hands the image out as a stream. */
import { random } from "../clock.ts";
import { inBackground, type ManagerContext } from "../context.ts";
import { type EditedImage, type Edits, editImage, editsOf } from "../delivery/edits/edit-image.ts";
import { openReader } from "../delivery/edits/open-reader.ts";
import { findImage } from "../delivery/find-image.ts";
import { leaveWay, type Way } from "../delivery/find-way.ts";
import { type CheckedGetOptions, checkedGetOptions } from "../delivery/get-options.ts";
import { streamCached, streamTransfer } from "../delivery/open-image.ts";
import type { ResolvedGet } from "../delivery/resolved-get.ts";
import { ImageChangedError, NotCachedError } from "../errors.ts";
import { carriesCredentials, isMadeEachTime } from "../identity.ts";
import { checkedRequest, type ResolveRequest } from "../lookup/request.ts";
import { orStoreFault } from "../store-fault.ts";
import type { RunningTransfer } from "../transfer/running-transfer.ts";
import type { CacheMode, GetOptions, ImageStream, ImageVariant } from "../types.ts";
import { retryDelayMs } from "../upstream/retry.ts";
import { sleep } from "../waiting.ts";

/** Gets of an edited image that changes on its way. Nothing is delivered before the edit is done, so that the new bytes contradict nothing. */
const maxEditedGets = 3;

/** See {@link ImageManager.get}. */
export async function get(
  context: ManagerContext,
  deviceType: string,
  wanted = "latest",
  options: GetOptions = {},
): Promise<ImageStream> {
  const checked = checkedGetOptions(options);
  const isUpstreamAsked = checked.cache !== "only-if-cached";
  const request = await checkedRequest(context, deviceType, wanted, options, isUpstreamAsked);
  const mayBeEdited = checked.edit !== undefined || isMadeEachTime(checked.variant);
  for (let count = 1; ; count++) {
    try {
      return await openStream(context, request, checked);
    } catch (failure) {
      const isWorthAnother = mayBeEdited && failure instanceof ImageChangedError && count < maxEditedGets;
      if (!isWorthAnother) throw failure;
      await sleep(retryDelayMs(context.retry, count, failure, random()), request.signal);
    }
  }
}

async function openStream(
  context: ManagerContext,
  request: ResolveRequest,
  { variant, cache, span, onProgress, waitUntil, edit }: CheckedGetOptions,
): Promise<ImageStream> {
  const isRange = span.start !== 0 || span.end !== Number.POSITIVE_INFINITY;
  let edits: Edits | undefined;
  const found = await findImage(context, request, {
    variant,
    cache,
    decideMode(derived) {
      edits = editsOf(derived, edit, isRange);
      return derived ? cache : effectiveMode(cache, variant);
    },
    openReader: (id, manifest) => openReader(context, id, manifest, span),
  });
  const { id, identity, mode, way } = found;
  const resolved: ResolvedGet = { id, identity, mode, span, signal: request.signal, onProgress };
  if (way.kind === "cached") noteUse(context, id);
  try {
    if (way.kind === "transfer") waitUntil?.(outlive(way.transfer));
    if (!edits) return stream(context, resolved, way);
    const { edited, close } = await editImage(context, resolved, way, edits);
    try {
      return stream(context, resolved, way, edited);
    } catch (failure) {
      edited.reader?.close();
      throw failure;
    } finally {
      close();
    }
  } catch (failure) {
    leaveWay(way);
    throw failure;
  }
}

function stream(context: ManagerContext, get: ResolvedGet, way: Way, edited?: EditedImage): ImageStream {
  if (way.kind === "cached") return streamCached(context, get, way.manifest, way.origin, edited);
  return streamTransfer(context, get, way.transfer, way.head, way.release, edited);
}

/** An image with credentials never touches the store. */
function effectiveMode(cache: CacheMode, variant: ImageVariant): CacheMode {
  if (!carriesCredentials(variant)) return cache;
  if (cache === "only-if-cached")
    throw new NotCachedError("An image that contains credentials is never cached");
  return "no-store";
}

/** Nobody waits for it: a use that is not noted costs an eviction too early at worst. */
function noteUse(context: ManagerContext, id: string): void {
  void inBackground(
    context,
    orStoreFault(context, "write", () => context.uses.note(id)),
  );
}

/** Holds a transfer to its end, even if all its readers leave. */
async function outlive(transfer: RunningTransfer): Promise<void> {
  const release = transfer.hold();
  await transfer.outcome.catch(() => undefined);
  release();
}
