// When a configured image is made: its bytes carry the time, so a later one is another one.
import type { DownloadFaults } from "./faults.ts";
import type { AskedImage, ImageIdentity, StoredImage } from "./image.ts";
import { imageConfigOf } from "./image-maker.ts";

/** What makes images. */
export interface ImageMaker {
  readonly imageOf: (identity: ImageIdentity) => StoredImage;
  /** Takes the time for one that is asked for. */
  readonly makeAt: (asked: AskedImage) => Date;
}

/** The clock, and its memory of when each image was made last. */
export interface ImageClock extends Pick<ImageMaker, "makeAt"> {
  /** When it was made last; where it never was, the time that the next one will have. */
  lastMadeAt(asked: AskedImage): Date;
}

/** Options of an API whose configured images are the same bytes each time. */
export const repeatableImages = { imageMakerClock: new Date("2026-02-03T04:05:06Z") } as const;

const resolutionMs = 2000; // of a time stamp in a FAT directory

/** A clock that runs, unless the faults stop it. */
export function createImageClock(faults: Pick<DownloadFaults, "imageMakerClock">): ImageClock {
  const last = new Map<string, Date>();
  let latestMs = 0;
  const now = () => faults.imageMakerClock ?? new Date(Math.max(Date.now(), latestMs + resolutionMs));
  return {
    makeAt(asked) {
      const madeAt = now();
      if (faults.imageMakerClock === undefined) latestMs = madeAt.getTime();
      last.set(keyOf(asked), madeAt);
      return madeAt;
    },
    lastMadeAt: (asked) => faults.imageMakerClock ?? last.get(keyOf(asked)) ?? now(),
  };
}

function keyOf({ slug, version, variant }: AskedImage): string {
  return JSON.stringify([slug, version, variant["imageType"], imageConfigOf(slug, variant)]);
}
