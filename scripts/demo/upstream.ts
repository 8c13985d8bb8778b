// What the demo needs of an upstream, be it the loopback API or balenaCloud.
import type { ImageSource, ImageVariant } from "../../src/core/index.ts";

/** One get of the demo. */
export interface Step {
  /** Heading of its column. */
  readonly name: string;
  readonly deviceType: string;
  readonly version: string;
  readonly variant: ImageVariant;
}

/** Counts since the start. */
export interface Traffic {
  readonly requests: number;
  /** Bytes of download bodies. */
  readonly wireBytes: number;
}

/** Where the demo gets its images from. */
export interface Upstream extends AsyncDisposable {
  readonly source: ImageSource;
  readonly steps: readonly Step[];
  readonly fetch?: typeof fetch;
  traffic(): Traffic;
  /** SHA-256 of the image as the upstream has it; `undefined` where it does not say. */
  sha256(step: Step, version: string): Promise<string | undefined>;
}
