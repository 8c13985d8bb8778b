/** Says why the bytes of an image can be different at each download. */
import { ImageChangedError } from "../errors.ts";
import { isMadeEachTime } from "../identity.ts";
import type { ImageVariant } from "../types.ts";

/** Explains different bytes if the upstream builds the image for each download. */
export function explained(failure: unknown, variant: ImageVariant): unknown {
  if (!(failure instanceof ImageChangedError) || !isMadeEachTime(variant)) return failure;
  return new ImageChangedError(
    "The upstream builds this image for each download (development mode or other settings), so a broken download can't be continued: get the image again",
    { cause: failure },
  );
}
