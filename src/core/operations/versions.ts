/** `versions`: all versions of a device type, newest first. */
import type { ManagerContext } from "../context.ts";
import { isUpstreamUnavailable } from "../errors.ts";
import {
  fetchVersions,
  freshVersions,
  lookUpRetries,
  recall,
  rememberedVersions,
} from "../lookup/known-versions.ts";
import { checkedRequest } from "../lookup/request.ts";
import type { OsVersion, ResolveOptions } from "../types.ts";
import { sortVersions } from "../version/index.ts";

/** See {@link ImageManager.versions}. */
export async function versions(
  context: ManagerContext,
  deviceType: string,
  options: ResolveOptions = {},
): Promise<OsVersion[]> {
  const request = await checkedRequest(context, deviceType, "latest", options);
  const known = await recall(context, request);
  const fresh = freshVersions(context, request, known);
  if (fresh) return sortVersions(fresh);
  const remembered = rememberedVersions(request, known);
  const retries = lookUpRetries(context, remembered !== undefined);
  try {
    return sortVersions((await fetchVersions(context, request, known, retries)).versions);
  } catch (failure) {
    if (!remembered || !isUpstreamUnavailable(failure)) throw failure;
    return sortVersions(remembered);
  }
}
