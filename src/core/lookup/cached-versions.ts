/** Resolution without the upstream: the best satisfying version whose image is really in the store. */
import type { ManagerContext } from "../context.ts";
import { isDeviceType } from "../device-type.ts";
import { eachOf } from "../each.ts";
import { type ImageIdentity, imageId, imageIdPrefix } from "../identity.ts";
import type { CatalogEntry } from "../store/catalog.ts";
import { folders } from "../store/keys.ts";
import { type Manifest, readManifest } from "../store/manifest.ts";
import { orPassOver } from "../store/pass-over.ts";
import { orNothing } from "../store-fault.ts";
import type { ImageVariant, OsVersion } from "../types.ts";
import { isEsrVersion, parseVersion } from "../version/index.ts";
import type { ResolveRequest } from "./request.ts";
import { identityOf, selectFrom } from "./select-from.ts";
import { storedManifest } from "./stored-manifest.ts";

/** An exact version that is cached needs no list: its meaning can't change. */
export async function cachedExactly(
  context: ManagerContext,
  request: ResolveRequest,
  variant: ImageVariant,
  deviceType: string,
): Promise<CachedExactly | undefined> {
  // An alias that was never resolved: images lie under slugs.
  if (!parseVersion(request.wanted) || !isDeviceType(deviceType)) return undefined;
  const version = request.wanted.replace(/^[vV]/, "");
  const identity = identityOf(context, request, variant, deviceType, version);
  const manifest = await manifestOf(context, request, identity);
  return manifest && { identity, manifest };
}

/** An image that is cached. */
export interface CachedExactly {
  readonly identity: ImageIdentity;
  readonly manifest: Manifest;
}

/** The best candidate that has a manifest which may be served. */
export async function bestCached(
  context: ManagerContext,
  request: ResolveRequest,
  variant: ImageVariant,
  known: CatalogEntry | undefined,
  mayServe: (manifest: Manifest) => boolean = () => true,
): Promise<ImageIdentity | undefined> {
  const deviceType = known?.deviceType ?? request.deviceType;
  if (!isDeviceType(deviceType)) return undefined;
  let candidates = await candidatesOf(context, request, deviceType, known?.versions ?? []);
  for (;;) {
    const version = selectFrom(deviceType, candidates, request.wanted);
    if (version === undefined) return undefined;
    const identity = identityOf(context, request, variant, deviceType, version);
    const manifest = await orPassOver(
      context.store,
      () => undefined, // the listing told it
      () => manifestOf(context, request, identity),
    );
    if (manifest && mayServe(manifest)) return identity;
    candidates = candidates.filter((candidate) => candidate.version !== version);
  }
}

/** Versions with a listed manifest. If listing can't be relied on, also all versions that are remembered. */
async function candidatesOf(
  context: ManagerContext,
  request: ResolveRequest,
  deviceType: string,
  remembered: readonly OsVersion[],
): Promise<OsVersion[]> {
  const list = () => listManifests(context, deviceType);
  const manifests = (await orNothing(context, request, "list", list)) ?? [];
  const listed = manifests
    .filter(
      ({ identity }) => identity.source === context.source.id && identity.scope === (request.scope ?? null),
    )
    .map(
      ({ identity: { version } }) => remembered.find((entry) => entry.version === version) ?? guess(version),
    );
  const usable = context.store.completeListing ? listed : [...listed, ...remembered];
  return usable.filter(({ draft }) => request.includeDrafts || !draft);
}

type Identified = Pick<Manifest, "identity">;

/** One that can't be read is passed over: another version may do. */
async function listManifests({ store, emit }: ManagerContext, deviceType: string): Promise<Identified[]> {
  const start = folders.images + imageIdPrefix(deviceType);
  const keys = (await store.list(folders.images)).filter((key) => key.startsWith(start));
  const onUnreadable = (cause: unknown) => emit({ type: "store-fault", operation: "read", cause });
  const manifests = await eachOf(keys, async (key): Promise<Identified | undefined> => {
    const id = key.slice(folders.images.length);
    const manifest = await orPassOver(store, onUnreadable, () => readManifest(store, id));
    return manifest && { identity: manifest.identity }; // not its chunks: there may be many
  });
  return manifests.filter((manifest) => manifest !== undefined);
}

/** What a version's name says, for a catalog that is gone. */
function guess(version: string): OsVersion {
  return { version, line: isEsrVersion(version) ? "esr" : "default", draft: false };
}

async function manifestOf(
  context: ManagerContext,
  request: ResolveRequest,
  identity: ImageIdentity,
): Promise<Manifest | undefined> {
  const id = await imageId(identity);
  return orNothing(context, request, "read", () => storedManifest(context, id));
}
