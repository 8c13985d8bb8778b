/** GET and HEAD of what is JSON: the cached images and the versions of a device type. */
import type { ImageInfo, PartialImageInfo } from "../types.ts";
import { cacheControl } from "./headers.ts";
import { jsonResponse } from "./json-response.ts";
import type { HandlerContext } from "./options.ts";

/** The cached images, and those on their way. */
export async function answerImages(context: HandlerContext, request: Request): Promise<Response> {
  const owner = await context.internals?.owner(request.signal);
  const images: object[] = [];
  for await (const image of context.manager.list()) {
    // A store may be shared. Images of another account or API can't be got here, so they are not listed.
    const isOwn = image.source === owner?.source && (image.variant.scope ?? null) === owner.scope;
    if (!owner || isOwn) images.push(shown(image));
  }
  return jsonResponse(request, images, 200, cachingOf(context, owner));
}

/** The versions of a device type, newest first. */
export async function answerVersions(
  context: HandlerContext,
  request: Request,
  deviceType: string,
): Promise<Response> {
  const { signal } = request;
  const owner = await context.internals?.owner(signal);
  const versions = await context.manager.versions(deviceType, { signal });
  return jsonResponse(request, versions, 200, cachingOf(context, owner));
}

// Named one by one, so that what is added to the types is not published unseen. The source is left out: it is a host's name.
const publicFields = [
  ...["deviceType", "version", "mime", "size", "etag", "sha256", "lastModified", "createdAt", "validatedAt"],
  ...["lastUsedAt", "pinned", "isComplete", "startedAt", "transferredBytes", "percent"],
];

function shown(image: ImageInfo | PartialImageInfo): object {
  const { scope: _, ...variant } = image.variant;
  const fields = Object.entries(image).filter(([name]) => publicFields.includes(name));
  return { ...Object.fromEntries(fields), variant };
}

function cachingOf({ authorize }: HandlerContext, owner: { scope: string | null } | undefined) {
  return { "cache-control": cacheControl(authorize !== undefined || (owner?.scope ?? null) !== null) };
}
