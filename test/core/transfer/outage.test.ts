/** How long the default retry holds out: an upstream that is away for a minute, at the first request and in mid-transfer. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { createImageManager } from "../../../src/core/index.ts";
import { bytesOf, rejection } from "../../support/collect.ts";
import { fileResponse, gzip, noise, scriptedUpstream } from "../../support/scripted-upstream.ts";
import { chunkBytes } from "../../support/test-manager.ts";

const outageMs = 60_000;
const content = noise(2 * chunkBytes + 5);
const packed = gzip(content);

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** Lets the faked time pass until a promise settles. */
async function passing<T>(promise: Promise<T>): Promise<T> {
  let isSettled = false;
  promise.then(
    () => (isSettled = true),
    () => (isSettled = true),
  );
  while (!isSettled) {
    await vi.advanceTimersByTimeAsync(250);
    await new Promise(setImmediate);
  }
  return promise;
}

/** An upstream that is away for so long, from its second answer on where `isMidway`. */
function managerWithOutage(isMidway: boolean, lastsMs: number) {
  let beganMs = isMidway ? undefined : performance.now();
  const { source, fetch, downloads } = scriptedUpstream({
    respond({ count }) {
      if (beganMs === undefined && count === 0) {
        beganMs = performance.now();
        const half = packed.slice(0, packed.length / 2);
        return new Response(half, { headers: { "content-length": String(packed.length) } });
      }
      if (performance.now() - beganMs! < lastsMs) throw new TypeError("fetch failed");
      return fileResponse(packed);
    },
  });
  const manager = createImageManager({ source, fetch, storage: memoryAdapter(), chunkBytes });
  return { manager, downloads };
}

describe.each([
  ["at the first request", false],
  ["in mid-transfer", true],
])("an outage %s", (_, isMidway) => {
  test("of a minute is outlived, ten times of ten", async () => {
    for (let round = 0; round < 10; round++) {
      const { manager } = managerWithOutage(isMidway, outageMs);
      const get = async () => bytesOf(await manager.get("intel-nuc"));
      expect(await passing(get())).toEqual(content);
    }
  });

  test("that does not end is an error that says how long it was tried", async () => {
    const { manager, downloads } = managerWithOutage(isMidway, Number.POSITIVE_INFINITY);
    const failure = await passing(rejection((async () => bytesOf(await manager.get("intel-nuc")))()));
    expect(failure).toMatchObject({ code: "UPSTREAM", unavailable: true });
    const [, tries, seconds] = /given up after (\d+) tries in (\d+) s/.exec(String(failure)) ?? [];
    expect(Number(tries)).toBe(11);
    expect(downloads).toHaveLength(11);
    expect(Number(seconds)).toBeGreaterThan(75);
    expect(Number(seconds)).toBeLessThan(155);
  });
});

test("a cached copy is served at once, without a pause", async () => {
  let isAway = false;
  const { source, fetch, downloads } = scriptedUpstream({
    respond() {
      if (isAway) throw new TypeError("fetch failed");
      return fileResponse(packed);
    },
  });
  const manager = createImageManager({ source, fetch, storage: memoryAdapter(), chunkBytes });
  await manager.prefetch("intel-nuc");
  isAway = true;
  const startedMs = performance.now();
  expect(await manager.get("intel-nuc", "1.0.0")).toMatchObject({ origin: "stale" });
  expect(performance.now()).toBe(startedMs);
  expect(downloads).toHaveLength(2);
});
