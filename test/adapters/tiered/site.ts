/** A site with a near store, whose line to the far store can be cut; and a clock that moves by hand. */
import { onTestFinished } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { type TieredAdapterOptions, tieredAdapter } from "../../../src/adapters/tiered/index.ts";
import { platformClock, replaceClock } from "../../../src/core/clock.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { createTestManager, type TestManagerOptions } from "../../support/test-manager.ts";
import { severable } from "./severable.ts";

/** What a test may choose. */
export interface SiteOptions extends Partial<TieredAdapterOptions> {
  readonly near?: StoreDriver;
  readonly far?: StoreDriver;
  readonly manager?: TestManagerOptions;
}

/** Makes one; sites that are given the same `far` share it. */
export function site(api: { readonly url: string }, options: SiteOptions = {}) {
  const { near = memoryAdapter(), far = memoryAdapter(), manager: managerOptions, ...tiers } = options;
  const line = severable(far);
  const storage = tieredAdapter({ farTimeoutMs: 200, ...tiers, near, far: line.store });
  const made = createTestManager(api, { ...managerOptions, storage });
  onTestFinished(() => made.manager.close());
  return { ...made, storage, near, far, line };
}

/** Makes the core's clocks move by hand, on top of the real time. */
export function steeredTime(): { advance(byMs: number): void } {
  let aheadMs = 0;
  const restore = replaceClock({
    ...platformClock,
    wallMs: () => platformClock.wallMs() + aheadMs,
    monotonicMs: () => platformClock.monotonicMs() + aheadMs,
  });
  onTestFinished(restore);
  return {
    advance(byMs) {
      aheadMs += byMs;
    },
  };
}
