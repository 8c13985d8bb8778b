/** Asks the source how an image follows from a plainer one, as patiently as for a list of versions. */
import type { ManagerContext } from "../context.ts";
import { lookUpRetries } from "../lookup/known-versions.ts";
import type { ResolveRequest } from "../lookup/request.ts";
import type { Resolved } from "../lookup/resolve-image.ts";
import type { CacheMode, DerivedImage, ImageVariant } from "../types.ts";
import { wholeLookUpMs, withinIdleTime } from "../upstream/look-up-time.ts";
import { withRetries } from "../upstream/retry.ts";

/** `undefined` if the image follows from no other. */
export function derivedFrom(
  context: ManagerContext,
  { signal }: ResolveRequest,
  { identity, unreachable }: Resolved,
  variant: ImageVariant,
  cache: CacheMode,
): Promise<DerivedImage | undefined> {
  const { deviceType, version } = identity;
  const isOffline = unreachable !== undefined || cache === "only-if-cached";
  const image = { deviceType, version, variant, fileType: variant.fileType ?? ".img", isOffline } as const;
  const retries = lookUpRetries(context, isOffline);
  return withinIdleTime(wholeLookUpMs(context.lookUpTimeoutMs), signal, (options) =>
    withRetries(retries, options.signal, () => context.source.derive({ ...image, signal: options.signal })),
  );
}
