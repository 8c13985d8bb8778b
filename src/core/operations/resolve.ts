/** `resolve`: the exact version that a version or range stands for. */
import type { ManagerContext } from "../context.ts";
import { checkedRequest } from "../lookup/request.ts";
import { resolveImage } from "../lookup/resolve-image.ts";
import type { ResolveOptions } from "../types.ts";

/** See {@link ImageManager.resolve}. */
export async function resolve(
  context: ManagerContext,
  deviceType: string,
  wanted = "latest",
  options: ResolveOptions = {},
): Promise<string> {
  const request = await checkedRequest(context, deviceType, wanted, options);
  const { identity } = await resolveImage(context, request, {}, "default");
  return identity.version;
}
