/** Decides how to get an image's bytes: from the cache, or with a transfer. */
import type { ManagerContext } from "../context.ts";
import { isUpstreamUnavailable, NotCachedError } from "../errors.ts";
import { mayServeStale, planGet } from "../freshness/plan.ts";
import { storedManifest } from "../lookup/stored-manifest.ts";
import { type Manifest, readManifest } from "../store/manifest.ts";
import type { ImageReader } from "../store/read-image.ts";
import { orNothing } from "../store-fault.ts";
import type { RunningTransfer } from "../transfer/running-transfer.ts";
import { Transfer } from "../transfer/transfer.ts";
import type { TransferHead } from "../transfer/transfer-head.ts";
import type { TransferOptions } from "../transfer/transfer-options.ts";
import type { CacheMode } from "../types.ts";
import { unlessAborted } from "../waiting.ts";
import { joinTransfer } from "./join-transfer.ts";

/** From the cache. */
export interface CachedWay {
  readonly kind: "cached";
  readonly manifest: Manifest;
  readonly origin: "cache" | "stale";
  /** Why the upstream could not be asked, for a stale copy. */
  readonly cause?: unknown;
  /** Set if its chunks are being read ahead. Whoever takes the way closes it. */
  readonly reader?: ImageReader;
}

/** Where an image is going to come from. */
export type Way =
  | CachedWay
  | {
      readonly kind: "transfer";
      readonly transfer: RunningTransfer;
      readonly head: TransferHead;
      /** Must be called once the transfer is held in another way, or not wanted after all. */
      readonly release: () => void;
    };

/** For whoever does not take the way after all. */
export function leaveWay(way: Way): void {
  if (way.kind === "transfer") way.release();
  else way.reader?.close();
}

/** Rounds in which a get waits for the requests of others. After that it sends its own. */
const maxSharedRounds = 2;

/** What a way is wanted to. */
export interface WantedImage extends Pick<TransferOptions, "id" | "identity" | "insistsOnStoring"> {
  readonly mode: CacheMode;
  readonly signal: AbortSignal;
  /** Set if the upstream could not be asked for the version. */
  readonly unreachable?: unknown;
  /** Its manifest, if that was read just now. */
  readonly known?: Manifest | undefined;
}

/** Looks into the cache, asks the upstream if the mode and the copy's age want it, and says which of them serves. */
export async function findWay(context: ManagerContext, image: WantedImage): Promise<Way> {
  const { mode, signal, unreachable, known, ...wanted } = image;
  const { id, identity } = wanted;
  for (let round = 1; ; round++) {
    const isStoreNeeded = mode === "only-if-cached";
    const isRead = mode === "no-store" || (round === 1 && known);
    const manifest = isRead ? known : await findManifest(context, id, isStoreNeeded);
    signal.throwIfAborted();
    const mayBeStale =
      manifest !== undefined && mayServeStale(mode, manifest.validatedAt, context.now(), context.freshness);
    if (unreachable !== undefined) {
      if (mayBeStale) return { kind: "cached", manifest, origin: "stale", cause: unreachable };
      throw unreachable;
    }
    const plan = planGet(mode, manifest?.validatedAt, context.now(), context.freshness);
    if (!manifest && plan !== "bypass" && mode !== "reload") context.emit({ type: "miss", image: id });
    if (plan === "fail") throw new NotCachedError(`${identity.deviceType} ${identity.version} is not cached`);
    if (plan === "serve") {
      context.emit({ type: "hit", image: id });
      return { kind: "cached", manifest: manifest!, origin: "cache" };
    }
    const isConditional = plan === "revalidate";
    const isImpatient = isConditional && mayBeStale;
    const options = {
      ...wanted,
      isStored: plan !== "bypass",
      previous: manifest,
      isConditional,
      isImpatient,
    };
    const join = plan === "bypass" || round > maxSharedRounds ? startAlone : joinTransfer;
    try {
      const way = await askUpstream(context, options, signal, join);
      if (way) return way;
    } catch (failure) {
      // The cache is all that is left: if it could not be read above, that is the answer.
      if (mode === "force-cache" && isUpstreamUnavailable(failure)) await readManifest(context.store, id);
      throw failure;
    }
  }
}

/** `undefined` if another call's revalidation was joined and does not help: everything must then be checked again. */
async function askUpstream(
  context: ManagerContext,
  options: TransferOptions,
  signal: AbortSignal,
  join: typeof joinTransfer,
): Promise<Way | undefined> {
  const { transfer, release } = join(context, options);
  let isHandedOver = false;
  try {
    const head = await unlessAborted(signal, () => transfer.started);
    if (head.kind === "body") {
      isHandedOver = true;
      return { kind: "transfer", transfer, head, release };
    }
    const { manifest } = await unlessAborted(signal, () => transfer.outcome);
    const isNews = options.isConditional || manifest?.createdAt !== options.previous?.createdAt;
    return manifest && isNews ? { kind: "cached", manifest, origin: "cache" } : undefined;
  } catch (failure) {
    // Only a get that has a copy to fall back on is impatient.
    if (options.isImpatient && isUpstreamUnavailable(failure))
      return { kind: "cached", manifest: options.previous!, origin: "stale", cause: failure };
    throw failure;
  } finally {
    if (!isHandedOver) release();
  }
}

function startAlone(context: ManagerContext, options: TransferOptions) {
  const transfer = new Transfer(context, options);
  return { transfer, release: transfer.hold() };
}

/** A busy manager ends transfers all the time. A missed transfer only costs one more download. */
const maxLooks = 5;

/** Reads again if a transfer ended meanwhile: the commit may have been missed, and the transfer can't be joined any more. */
export async function findManifest(
  context: ManagerContext,
  id: string,
  isStoreNeeded: boolean,
): Promise<Manifest | undefined> {
  for (let look = 1; ; look++) {
    const endedBefore = context.endedTransfers.count;
    const manifest = await orNothing(context, { isStoreNeeded }, "read", () => storedManifest(context, id));
    const isSettled = endedBefore === context.endedTransfers.count || context.transfers.has(id);
    if (manifest || isSettled || look === maxLooks) return manifest;
  }
}
