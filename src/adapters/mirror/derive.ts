/** How configured images follow from a mirror's plain ones. The mirror has no part in that, and is told nothing of it. */
import { InvalidArgumentError, UpstreamError } from "../../core/errors.ts";
import type { DerivedImage, ResolvedImage } from "../../core/types.ts";
import { deriver } from "../balena/derive.ts";

/** A source's `derive`. The boot partition is found by what it holds, for there is no API to ask where it is. */
export function localDeriver(sourceId: string): (image: ResolvedImage) => Promise<DerivedImage | undefined> {
  const derive = deriver({
    apiOrigin: sourceId,
    currentToken: async () => undefined,
    ask: () => Promise.reject(new UpstreamError("A mirror does not know how device types are configured")),
  });
  return async (image) => {
    if (image.variant.appId === undefined) return derive(image);
    throw new InvalidArgumentError(
      '"appId" needs the balena API, which makes the keys of a fleet: get the plain image through the mirror, with its config.json in "edit"',
    );
  };
}
