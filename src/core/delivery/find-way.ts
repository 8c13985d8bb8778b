/** Finds an image and decides how to get its bytes: from the cache, or with a transfer. */
import type { ManagerContext } from "../context.ts";
import { isImageManagerError, isUpstreamUnavailable, NotCachedError } from "../errors.ts";
import { mayServeStale, planGet } from "../freshness/plan.ts";
import { type ImageIdentity, imageId, isMadeEachTime, plainVariant } from "../identity.ts";
import type { ResolveRequest } from "../lookup/request.ts";
import { type Resolved, resolveImage } from "../lookup/resolve-image.ts";
import { type Manifest, readManifest } from "../store/manifest.ts";
import { orNothing } from "../store-fault.ts";
import type { RunningTransfer } from "../transfer/running-transfer.ts";
import { Transfer } from "../transfer/transfer.ts";
import type { TransferHead } from "../transfer/transfer-head.ts";
import type { TransferOptions } from "../transfer/transfer-options.ts";
import type { CacheMode, DerivedImage, ImageVariant } from "../types.ts";
import { unlessAborted } from "../waiting.ts";
import { derivedFrom } from "./derive.ts";
import { joinTransfer } from "./join-transfer.ts";

/** An image that was found, and the way to its bytes. */
export interface FoundImage {
  readonly id: string;
  readonly identity: ImageIdentity;
  readonly mode: CacheMode;
  /** Set if the image is a plainer one than was asked for, from which that follows. */
  readonly derived: DerivedImage | undefined;
  readonly way: Way;
}

/** Says how the cache is to be used for an image, once it is known whether it follows from a plainer one. */
export type DecideMode = (derived: DerivedImage | undefined) => CacheMode;

/**
 * Resolves, and opens the upstream if need be. A version from a remembered list may have been withdrawn since: if the upstream does
 * not hand it out, the list is asked for once more.
 */
export async function findImage(
  context: ManagerContext,
  request: ResolveRequest,
  variant: ImageVariant,
  cache: CacheMode,
  decideMode: DecideMode = () => cache,
): Promise<FoundImage> {
  const resolved = await resolvePlain(context, request, variant, cache, decideMode);
  try {
    return await openImage(context, request, resolved);
  } catch (failure) {
    if (!resolved.isRemembered || !isNotThere(failure)) throw failure;
    const again = await resolvePlain(context, request, variant, "no-cache", (derived) => {
      decideMode(derived);
      return "no-cache";
    });
    if (again.identity.version === resolved.identity.version) throw failure;
    return openImage(context, request, { ...again, mode: resolved.mode });
  }
}

interface ResolvedPlain extends Resolved {
  readonly mode: CacheMode;
  readonly derived: DerivedImage | undefined;
}

/** The image that is to be got: a plainer one, if what is asked for follows from that. */
async function resolvePlain(
  context: ManagerContext,
  request: ResolveRequest,
  variant: ImageVariant,
  cache: CacheMode,
  decideMode: DecideMode,
): Promise<ResolvedPlain> {
  if (context.source.canDerive && isMadeEachTime(variant)) {
    const resolved = await resolveImage(context, request, plainVariant(variant), cache);
    const derived = await derivedFrom(context, request, resolved, variant, cache);
    const identity = { ...resolved.identity, variant: derived?.variant ?? variant };
    if (derived) return { ...resolved, identity, mode: decideMode(derived), derived };
  }
  const mode = decideMode(undefined);
  return { ...(await resolveImage(context, request, variant, mode)), mode, derived: undefined };
}

async function openImage(
  context: ManagerContext,
  { signal, insistsOnStoring }: ResolveRequest,
  { identity, unreachable, mode, derived }: ResolvedPlain,
): Promise<FoundImage> {
  const id = await imageId(identity);
  const way = await findWay(context, { id, identity, insistsOnStoring }, mode, signal, unreachable);
  if (way.kind === "cached" && way.origin === "stale")
    context.emit({ type: "stale-served", image: id, cause: way.cause });
  return { id, identity, mode, derived, way };
}

function isNotThere(failure: unknown): boolean {
  return isImageManagerError(failure) && failure.code === "VERSION_NOT_FOUND";
}

/** Where an image is going to come from. */
export type Way =
  | {
      readonly kind: "cached";
      readonly manifest: Manifest;
      readonly origin: "cache" | "stale";
      /** Why the upstream could not be asked, for a stale copy. */
      readonly cause?: unknown;
    }
  | {
      readonly kind: "transfer";
      readonly transfer: RunningTransfer;
      readonly head: TransferHead;
      /** Must be called once the transfer is held in another way, or not wanted after all. */
      readonly release: () => void;
    };

/** Rounds in which a get waits for the requests of others. After that it sends its own. */
const maxSharedRounds = 2;

/** Looks into the cache, asks the upstream if the mode and the copy's age want it, and says which of them serves. */
async function findWay(
  context: ManagerContext,
  wanted: Pick<TransferOptions, "id" | "identity" | "insistsOnStoring">,
  mode: CacheMode,
  signal: AbortSignal,
  unreachable?: unknown,
): Promise<Way> {
  const { id, identity } = wanted;
  for (let round = 1; ; round++) {
    const isStoreNeeded = mode === "only-if-cached";
    const manifest = mode === "no-store" ? undefined : await findManifest(context, id, isStoreNeeded);
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
async function findManifest(
  context: ManagerContext,
  id: string,
  isStoreNeeded: boolean,
): Promise<Manifest | undefined> {
  for (let look = 1; ; look++) {
    const endedBefore = context.endedTransfers.count;
    const manifest = await orNothing(context, { isStoreNeeded }, "read", () =>
      readManifest(context.store, id),
    );
    const isSettled = endedBefore === context.endedTransfers.count || context.transfers.has(id);
    if (manifest || isSettled || look === maxLooks) return manifest;
  }
}
