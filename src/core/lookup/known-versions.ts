/** What the catalog remembers of a device type, and how it is filled from the upstream. */
import type { ManagerContext } from "../context.ts";
import { isImageManagerError } from "../errors.ts";
import { isWithinMaxAge } from "../freshness/plan.ts";
import { type CatalogEntry, catalogSpace, readCatalog, writeCatalog } from "../store/catalog.ts";
import { orNothing, orStoreFault } from "../store-fault.ts";
import type { OsVersion } from "../types.ts";
import { wholeLookUpMs, withinIdleTime } from "../upstream/look-up-time.ts";
import { createRetries, type Retries, withRetries } from "../upstream/retry.ts";
import { unlessAborted } from "../waiting.ts";
import type { ResolveRequest } from "./request.ts";
import { forgetScope, isRefusedLogin } from "./scope-of.ts";

/** What was last seen of a device type, by slug or alias. */
export async function recall(
  context: ManagerContext,
  request: ResolveRequest,
): Promise<CatalogEntry | undefined> {
  const space = await catalogSpace(context.source.id, request.scope);
  return orNothing(context, request, "read", async () => {
    const entry = await readCatalog(context.store, space, request.deviceType);
    if (!entry || entry.deviceType === request.deviceType) return entry;
    return (await readCatalog(context.store, space, entry.deviceType)) ?? entry;
  });
}

/** Asks the upstream and remembers the answer. Look-ups of the same that are under way at once are one. */
export async function fetchVersions(
  context: ManagerContext,
  request: ResolveRequest,
  known: CatalogEntry | undefined,
  retries: Retries,
): Promise<CatalogEntry & { readonly versions: readonly OsVersion[] }> {
  const { deviceType, includeDrafts, scope, isRemembered } = request;
  const key = JSON.stringify([scope, deviceType, known?.deviceType, includeDrafts, isRemembered]);
  const { lookUps } = context;
  const lookUp =
    lookUps.get(key) ?? askVersions(context, request, known, retries).finally(() => lookUps.delete(key));
  lookUps.set(key, lookUp);
  lookUp.catch(() => undefined); // the caller may have left
  return unlessAborted(request.signal, () => lookUp);
}

/** A known alias is not asked again unless it leads to nothing: one request is enough then. Ends with the manager, since others may wait for it too. */
async function askVersions(
  context: ManagerContext,
  request: ResolveRequest,
  known: CatalogEntry | undefined,
  retries: Retries,
): Promise<CatalogEntry & { readonly versions: readonly OsVersion[] }> {
  const { includeDrafts } = request;
  const wholeMs = wholeLookUpMs(context.lookUpTimeoutMs);
  const list = await withinIdleTime(wholeMs, context.closing, ({ signal }) =>
    listVersions(context, request, known, retries, signal),
  ).catch(async (failure) => {
    if (isRefusedLogin(failure)) await forgetScope(context, request.scope);
    throw failure;
  });
  const entry = { ...list, includesDrafts: includeDrafts, seenAt: context.now() };
  if (request.isRemembered) await orStoreFault(context, "write", () => remember(context, request, entry));
  return entry;
}

async function listVersions(
  { source }: ManagerContext,
  request: ResolveRequest,
  known: CatalogEntry | undefined,
  retries: Retries,
  signal: AbortSignal,
) {
  const resolve = () =>
    withRetries(retries, signal, () => source.resolveDeviceType(request.deviceType, signal));
  const list = (slug: string) =>
    withRetries(retries, signal, () => source.versions(slug, request.includeDrafts, signal));
  let deviceType = known?.deviceType ?? (await resolve());
  let versions: readonly OsVersion[] = await (known
    ? list(deviceType).catch(noneIfUnknown)
    : list(deviceType));
  if (known && versions.length === 0) {
    // A remembered list may be wrong by now, and would stay wrong for ever.
    deviceType = await resolve();
    versions = await list(deviceType);
  }
  return { deviceType, versions };
}

function noneIfUnknown(failure: unknown): readonly OsVersion[] {
  if (isImageManagerError(failure) && failure.code === "DEVICE_TYPE_NOT_FOUND") return [];
  throw failure;
}

/** Retries of a look-up. Where the cache may be able to answer instead (`isImpatient`), it should do so at once. */
export function lookUpRetries({ retry }: ManagerContext, isImpatient: boolean): Retries {
  return createRetries(isImpatient ? { ...retry, attempts: 1 } : retry);
}

/** The remembered versions that a request may choose from; `undefined` if they were never asked for. */
export function rememberedVersions(
  { includeDrafts }: ResolveRequest,
  known: CatalogEntry | undefined,
): readonly OsVersion[] | undefined {
  if (!known?.versions || (includeDrafts && !known.includesDrafts)) return undefined;
  return includeDrafts ? known.versions : known.versions.filter(({ draft }) => !draft);
}

/** The same, but only if they are young enough to need no new look. */
export function freshVersions(
  context: ManagerContext,
  request: ResolveRequest,
  known: CatalogEntry | undefined,
): readonly OsVersion[] | undefined {
  if (!known || !isWithinMaxAge(known.seenAt, context.now(), context.freshness)) return undefined;
  return rememberedVersions(request, known);
}

async function remember(
  context: ManagerContext,
  request: ResolveRequest,
  entry: CatalogEntry,
): Promise<void> {
  const { deviceType, seenAt } = entry;
  const space = await catalogSpace(context.source.id, request.scope);
  await writeCatalog(context.store, space, deviceType, entry);
  if (deviceType === request.deviceType) return;
  await writeCatalog(context.store, space, request.deviceType, { deviceType, seenAt });
}
