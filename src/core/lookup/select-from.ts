/** Chooses a version. No version is an answer here, not yet an error. */
import type { ManagerContext } from "../context.ts";
import { VersionNotFoundError } from "../errors.ts";
import type { ImageIdentity } from "../identity.ts";
import type { ImageVariant, OsVersion } from "../types.ts";
import { selectVersion } from "../version/index.ts";
import type { ResolveRequest } from "./request.ts";

/** The selected version; `undefined` if none satisfies. */
export function selectFrom(
  deviceType: string,
  list: readonly OsVersion[],
  wanted: string,
): string | undefined {
  try {
    return selectVersion(deviceType, list, wanted).version;
  } catch (failure) {
    if (failure instanceof VersionNotFoundError) return undefined;
    throw failure;
  }
}

/** The identity of a version of what was asked for. */
export function identityOf(
  context: ManagerContext,
  request: ResolveRequest,
  variant: ImageVariant,
  deviceType: string,
  version: string,
): ImageIdentity {
  return { source: context.source.id, scope: request.scope ?? null, deviceType, version, variant };
}
