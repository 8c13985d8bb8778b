// A manager as most tests want it: the real SDK source, small chunks, quick retries, a fake clock and recorded events.
import { balenaSdkSource } from "../../src/adapters/balena-sdk/index.ts";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { createImageManager, type ImageManager, type ImageManagerOptions } from "../../src/core/index.ts";
import { type FakeClock, fakeClock } from "./clock.ts";
import { type EventRecorder, recordEvents } from "./events.ts";

/** Bytes of a chunk in tests: the least there may be. */
export const chunkBytes = 256 * 1024;

/** Retries without waiting. */
export const quickRetry = { attempts: 3, minDelayMs: 1, maxDelayMs: 20, idleTimeoutMs: 5_000 };

/** A manager and what a test does with it. */
export interface TestManager {
  readonly manager: ImageManager;
  readonly storage: ImageManagerOptions["storage"];
  readonly events: EventRecorder;
  readonly clock: FakeClock;
}

/** What a test may set; a ready `clock` is one that two managers share. */
export interface TestManagerOptions extends Partial<Omit<ImageManagerOptions, "now" | "onEvent">> {
  readonly clock?: FakeClock;
  /** Token of the source, where none is given. */
  readonly token?: string;
}

/** Makes one over an API, or over the source in the options. */
export function createTestManager(
  api: { readonly url: string },
  options: TestManagerOptions = {},
): TestManager {
  const { clock = fakeClock(), token, ...rest } = options;
  const events = recordEvents();
  const storage = rest.storage ?? memoryAdapter();
  // Configured images come from the image maker, so that there are images of every kind: those that are derived have tests of their own.
  const source =
    rest.source ??
    balenaSdkSource({ apiUrl: api.url, configure: "upstream", ...(token !== undefined && { token }) });
  const manager = createImageManager({
    chunkBytes,
    ...rest,
    source,
    storage,
    retry: { ...quickRetry, ...rest.retry },
    now: clock.now,
    onEvent: events.onEvent,
  });
  return { manager, storage, events, clock };
}
