/** Resolves the caller's device type and version to a canonical slug and an exact version, on-line or off-line. */
import type { ManagerContext } from "../context.ts";
import { isUpstreamUnavailable, NotCachedError } from "../errors.ts";
import { mayServeStale } from "../freshness/plan.ts";
import type { ImageIdentity } from "../identity.ts";
import type { CatalogEntry } from "../store/catalog.ts";
import type { Manifest } from "../store/manifest.ts";
import type { CacheMode, ImageVariant } from "../types.ts";
import { parseVersion, selectVersion } from "../version/index.ts";
import { bestCached, type CachedExactly, cachedExactly } from "./cached-versions.ts";
import { fetchVersions, freshVersions, lookUpRetries, recall } from "./known-versions.ts";
import type { ResolveRequest } from "./request.ts";
import { identityOf, selectFrom } from "./select-from.ts";

/** What was asked for, found. */
export interface Resolved {
  readonly identity: ImageIdentity;
  /** Set if the upstream could not be asked: the version is the best that is cached. */
  readonly unreachable?: unknown;
  /** Its manifest, if that was read on the way. */
  readonly manifest?: Manifest | undefined;
  /** The version was chosen from a remembered list, which may be out of date. */
  readonly isRemembered?: boolean;
}

/** Finds the image that is meant. How far the cache may answer depends on the mode. */
export async function resolveImage(
  context: ManagerContext,
  request: ResolveRequest,
  variant: ImageVariant,
  mode: CacheMode,
): Promise<Resolved> {
  if (mode === "no-store" || mode === "reload" || mode === "no-cache") {
    const asked = { ...request, isRemembered: mode !== "no-store" };
    return { identity: await fromUpstream(context, asked, variant, undefined) };
  }
  const asked = { ...request, isStoreNeeded: mode === "only-if-cached" };
  const { known, exact } = await recallBoth(context, asked, variant);
  const cached = await fromCache(context, asked, variant, mode, known, exact);
  if (cached) return cached;
  const isImpatient = known !== undefined;
  try {
    return { identity: await fromUpstream(context, request, variant, known, isImpatient) };
  } catch (failure) {
    if (!isUpstreamUnavailable(failure)) throw failure;
    // The cache is all that is left: if it could not be read above, that is the answer.
    const late =
      mode === "force-cache" && (await resolveCached(context, { ...request, isStoreNeeded: true }, variant));
    if (late) return { identity: late };
    const mayServe = ({ validatedAt }: Manifest) =>
      mayServeStale("default", validatedAt, context.now(), context.freshness);
    const best = await bestCached(context, request, variant, known, mayServe);
    if (best) return { identity: best, unreachable: failure };
    if (!isImpatient) throw failure;
    // Nothing can stand in for the upstream: now it is worth waiting for.
    await lookUpRetries(context, false).pauseAfter(failure, request.signal);
    return { identity: await fromUpstream(context, request, variant, known, false) };
  }
}

/** What is remembered of the device type, and the image of an exact version. Most names are slugs, so both are read at once. */
async function recallBoth(context: ManagerContext, request: ResolveRequest, variant: ImageVariant) {
  const underName = cachedExactly(context, request, variant, request.deviceType);
  underName.catch(() => undefined); // it is awaited below, unless the other one fails first
  const known = await recall(context, request);
  const isSlug = !known || known.deviceType === request.deviceType;
  const exact = isSlug ? underName : cachedExactly(context, request, variant, known.deviceType);
  return { known, exact: await exact };
}

/** The identity that `inspect` and its like mean, without asking anybody. */
export async function resolveCached(
  context: ManagerContext,
  request: ResolveRequest,
  variant: ImageVariant,
): Promise<ImageIdentity | undefined> {
  const { known, exact } = await recallBoth(context, request, variant);
  return exact?.identity ?? bestCached(context, request, variant, known);
}

/** What an exact version stands for, cached or not; `undefined` for a range. */
export async function resolveExact(
  context: ManagerContext,
  request: ResolveRequest,
  variant: ImageVariant,
): Promise<ImageIdentity | undefined> {
  if (!parseVersion(request.wanted)) return undefined;
  const deviceType = (await recall(context, request))?.deviceType ?? request.deviceType;
  return identityOf(context, request, variant, deviceType, request.wanted.replace(/^[vV]/, ""));
}

async function fromCache(
  context: ManagerContext,
  request: ResolveRequest,
  variant: ImageVariant,
  mode: CacheMode,
  known: CatalogEntry | undefined,
  exact: CachedExactly | undefined,
): Promise<Resolved | undefined> {
  if (mode === "only-if-cached" || mode === "force-cache") {
    // If one read was enough, not all that is cached is looked at.
    if (exact) return exact;
    const best = await bestCached(context, request, variant, known);
    if (best || mode === "force-cache") return best && { identity: best };
    throw new NotCachedError(
      `No version of ${request.deviceType} that satisfies "${request.wanted}" is cached`,
    );
  }
  if (!known) return undefined;
  if (exact) return exact;
  const { deviceType } = known;
  // A version that is not among the remembered ones may be a new one: then the upstream is asked after all.
  const version = selectFrom(deviceType, freshVersions(context, request, known) ?? [], request.wanted);
  if (version === undefined) return undefined;
  return { identity: identityOf(context, request, variant, deviceType, version), isRemembered: true };
}

async function fromUpstream(
  context: ManagerContext,
  request: ResolveRequest,
  variant: ImageVariant,
  known: CatalogEntry | undefined,
  isImpatient = false,
): Promise<ImageIdentity> {
  const retries = lookUpRetries(context, isImpatient);
  const { deviceType, versions } = await fetchVersions(context, request, known, retries);
  const { version } = selectVersion(deviceType, versions, request.wanted);
  return identityOf(context, request, variant, deviceType, version);
}
