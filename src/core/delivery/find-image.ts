/** Finds the image that is to be got, a plainer one if what is asked for follows from that, and the way to its bytes. */
import type { ManagerContext } from "../context.ts";
import { isImageManagerError } from "../errors.ts";
import { type ImageIdentity, imageId, isMadeEachTime, plainVariant } from "../identity.ts";
import type { ResolveRequest } from "../lookup/request.ts";
import { type Resolved, resolveImage } from "../lookup/resolve-image.ts";
import type { Manifest } from "../store/manifest.ts";
import type { ImageReader } from "../store/read-image.ts";
import type { CacheMode, DerivedImage, ImageVariant } from "../types.ts";
import { derivedFrom } from "./derive.ts";
import { findManifest, findWay, leaveWay, type Way } from "./find-way.ts";

/** An image that was found, and the way to its bytes. */
export interface FoundImage {
  readonly id: string;
  readonly identity: ImageIdentity;
  readonly mode: CacheMode;
  /** Set if the image is a plainer one than was asked for, from which that follows. */
  readonly derived: DerivedImage | undefined;
  readonly way: Way;
}

/** What is to be found. */
export interface SoughtImage {
  readonly variant: ImageVariant;
  readonly cache: CacheMode;
  /** Says how the cache is to be used, once it is known whether the image follows from a plainer one. Default: as `cache` says. */
  readonly decideMode?: (derived: DerivedImage | undefined) => CacheMode;
  /**
   * Reads ahead in the cached image that another one is likely to follow from, while the source is still asked. Default: nothing is looked
   * for before the source has answered.
   */
  readonly openReader?: (id: string, manifest: Manifest) => ImageReader;
}

/**
 * Resolves, and opens the upstream if need be. A version from a remembered list may have been withdrawn since: if the upstream does
 * not hand it out, the list is asked for once more.
 */
export async function findImage(
  context: ManagerContext,
  request: ResolveRequest,
  sought: SoughtImage,
): Promise<FoundImage> {
  const resolved = await resolvePlain(context, request, sought);
  try {
    return await openImage(context, request, resolved);
  } catch (failure) {
    if (!resolved.isRemembered || !isNotThere(failure)) throw failure;
    const again = await resolvePlain(context, request, {
      variant: sought.variant,
      cache: "no-cache",
      decideMode(derived) {
        sought.decideMode?.(derived);
        return "no-cache";
      },
    });
    if (again.identity.version === resolved.identity.version) throw failure;
    return openImage(context, request, { ...again, mode: resolved.mode });
  }
}

interface ResolvedPlain extends Resolved {
  readonly mode: CacheMode;
  readonly derived: DerivedImage | undefined;
  /** The way to the image with this identity, which is being found already. */
  readonly likely?: Promise<Way | undefined> | undefined;
}

async function resolvePlain(
  context: ManagerContext,
  request: ResolveRequest,
  sought: SoughtImage,
): Promise<ResolvedPlain> {
  const { variant, cache, decideMode = () => cache } = sought;
  if (context.source.canDerive && isMadeEachTime(variant)) {
    const resolved = await resolveImage(context, request, plainVariant(variant), cache);
    const likely = findLikely(context, request, resolved, sought);
    let isTaken = false;
    try {
      const derived = await derivedFrom(context, request, resolved, variant, cache);
      if (derived) {
        const mode = decideMode(derived);
        const identity = { ...resolved.identity, variant: derived.variant };
        isTaken = JSON.stringify(derived.variant) === JSON.stringify(resolved.identity.variant);
        return {
          ...resolved,
          identity,
          manifest: undefined,
          mode,
          derived,
          likely: isTaken ? likely : undefined,
        };
      }
    } finally {
      if (!isTaken) leave(likely);
    }
  }
  const mode = decideMode(undefined);
  return { ...(await resolveImage(context, request, variant, mode)), mode, derived: undefined };
}

/**
 * The way to the plain image, if that is stored: then it need not wait for the source's answer. Without a copy it waits, because a download
 * would be for nothing if the source refuses.
 */
function findLikely(
  context: ManagerContext,
  { signal, insistsOnStoring }: ResolveRequest,
  { identity, unreachable, manifest }: Resolved,
  { cache: mode, openReader }: SoughtImage,
): Promise<Way | undefined> | undefined {
  if (!openReader || mode === "reload" || mode === "no-store") return undefined;
  const finding = (async () => {
    const id = await imageId(identity);
    const known = manifest ?? (await findManifest(context, id, false));
    if (!known) return undefined;
    const way = await findWay(context, { id, identity, insistsOnStoring, mode, signal, unreachable, known });
    return way.kind === "cached" ? { ...way, reader: openReader(id, way.manifest) } : way;
  })();
  finding.catch(() => undefined); // it is awaited once the source has answered, if ever
  return finding;
}

function leave(likely: Promise<Way | undefined> | undefined): void {
  void likely?.then((way) => way && leaveWay(way)).catch(() => undefined);
}

async function openImage(
  context: ManagerContext,
  { signal, insistsOnStoring }: ResolveRequest,
  { identity, manifest, unreachable, mode, derived, likely }: ResolvedPlain,
): Promise<FoundImage> {
  const id = await imageId(identity);
  const wanted = { id, identity, insistsOnStoring, mode, signal, unreachable, known: manifest };
  const way = (await likely) ?? (await findWay(context, wanted));
  if (way.kind === "cached" && way.origin === "stale")
    context.emit({ type: "stale-served", image: id, cause: way.cause });
  return { id, identity, mode, derived, way };
}

function isNotThere(failure: unknown): boolean {
  return isImageManagerError(failure) && failure.code === "VERSION_NOT_FOUND";
}
