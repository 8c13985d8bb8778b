/** `get`: decides between cache and upstream, and hands the image out as a stream. */
import type { ManagerContext } from "../context.ts";
import { findImage } from "../delivery/find-way.ts";
import { checkedGetOptions } from "../delivery/get-options.ts";
import { streamCached, streamTransfer } from "../delivery/open-image.ts";
import type { ResolvedGet } from "../delivery/resolved-get.ts";
import { NotCachedError } from "../errors.ts";
import { carriesCredentials } from "../identity.ts";
import { checkedRequest } from "../lookup/request.ts";
import { orStoreFault } from "../store-fault.ts";
import type { RunningTransfer } from "../transfer/running-transfer.ts";
import type { CacheMode, GetOptions, ImageStream } from "../types.ts";

/** See {@link ImageManager.get}. */
export async function get(
  context: ManagerContext,
  deviceType: string,
  wanted = "latest",
  options: GetOptions = {},
): Promise<ImageStream> {
  const { variant, cache, span, onProgress, waitUntil } = checkedGetOptions(options);
  const request = await checkedRequest(context, deviceType, wanted, options, cache !== "only-if-cached");
  const mode = effectiveMode(cache, variant);
  const { id, identity, way } = await findImage(context, request, variant, mode);
  const resolved: ResolvedGet = { id, identity, mode, span, signal: request.signal, onProgress };
  if (way.kind === "cached") {
    noteUse(context, resolved.id);
    return streamCached(context, resolved, way.manifest, way.origin);
  }
  try {
    waitUntil?.(outlive(way.transfer));
    return streamTransfer(context, resolved, way.transfer, way.opened, way.release);
  } catch (failure) {
    way.release();
    throw failure;
  }
}

/** An image with credentials never touches the store. */
function effectiveMode(cache: CacheMode, variant: GetOptions): CacheMode {
  if (!carriesCredentials(variant)) return cache;
  if (cache === "only-if-cached")
    throw new NotCachedError("An image that contains credentials is never cached");
  return "no-store";
}

/** Nobody waits for it: a use that is not noted costs an eviction too early at worst. */
function noteUse(context: ManagerContext, id: string): void {
  const noting = orStoreFault(context, "write", () => context.uses.note(id));
  context.background.add(noting);
  void noting.finally(() => context.background.delete(noting));
}

/** Holds a transfer to its end, whatever becomes of its readers. */
async function outlive(transfer: RunningTransfer): Promise<void> {
  const release = transfer.hold();
  await transfer.outcome.catch(() => undefined);
  release();
}
