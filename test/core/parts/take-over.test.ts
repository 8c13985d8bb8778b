// Transfers by parts that end half-way: the next one takes up what is there, and never a wrong byte of it.
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager, type TestManagerOptions } from "../../support/test-manager.ts";
import { nothingOnItsWay, standingStill } from "./kills.ts";

const api = await sharedApi({ assets: true, imageBytes: 8 * 1024 * 1024 });
const image = () => api.image(slug, version);

/** Ends a get once its upstream stands still; what it had is in the store. */
async function endHalfWay(
  storage: ReturnType<typeof memoryAdapter>,
  upstream: ReturnType<typeof standingStill>,
  options: TestManagerOptions = {},
) {
  const { manager } = createTestManager(api, { storage, fetch: upstream.fetch, ...options });
  const reading = manager.get(slug, version).then(collect);
  reading.catch(() => undefined);
  await upstream.stopped;
  await manager.close();
  expect(await rejection(reading)).toMatchObject({ code: "CLOSED" });
  await nothingOnItsWay(api);
}

/** Flips one bit of what is delivered. The inflater may or may not stumble over it; the checksum does. */
function flipAt(place: number) {
  let seen = 0;
  return (piece: Uint8Array) => {
    const copy = piece.slice();
    const at = place - seen;
    seen += copy.length;
    if (at >= 0 && at < copy.length) copy[at] = copy[at]! ^ 0x08;
    return copy;
  };
}

describe("what a transfer left", () => {
  test.each([0.02, 0.11, 0.23, 0.37, 0.48, 0.52, 0.61, 0.74, 0.86, 0.97])(
    "after %f of the bytes is taken up",
    async (share) => {
      const storage = memoryAdapter();
      const total = (await image().gzBytes()) - 20;
      await endHalfWay(storage, standingStill(Math.floor(total * share)));
      api.counters.reset();
      const { manager } = createTestManager(api, { storage });
      const stream = await manager.get(slug, version);
      expect((await collect(stream)).sha256).toBe(await image().sha256);
      expect(await stream.committed()).toBeDefined();
      // It was ended, not killed: so it has kept what it had.
      expect(api.counters.assetBytes).toBeLessThan(total * (1 - share) + 2 * chunkBytes);
      await manager.close();
    },
  );

  test("of parts that were finished is not fetched again", async () => {
    const storage = memoryAdapter();
    const total = (await image().gzBytes()) - 20;
    await endHalfWay(storage, standingStill(Math.floor(total * 0.97)));
    api.counters.reset();
    const { manager, events } = createTestManager(api, { storage });
    await collect(await manager.get(slug, version));
    expect(events.of("resumed")[0]?.fromByte).toBeGreaterThan(0);
    expect(api.counters.assetBytes).toBeLessThan(total * 0.97);
    await manager.close();
  });

  test("of a part with a flipped bit, whose end never came, is no part of the image", async () => {
    const storage = memoryAdapter();
    const total = (await image().gzBytes()) - 20;
    await endHalfWay(storage, standingStill(Math.floor(total * 0.35), flipAt(Math.floor(total * 0.3))));
    const { manager } = createTestManager(api, { storage });
    // The first get may find that its bytes are others than those in the store; then the store lets go of them.
    const first = await manager
      .get(slug, version)
      .then(collect)
      .catch((error: unknown) => error);
    if (first instanceof Error) expect(first).toMatchObject({ code: "IMAGE_CHANGED" });
    await manager.close(); // else the second get may follow the first one's transfer from its beginning
    const { manager: second } = createTestManager(api, { storage });
    const { sha256 } = await collect(await second.get(slug, version));
    expect(sha256).toBe(await image().sha256);
    expect((await second.verify()).damaged).toEqual([]);
    await second.close();
  });

  test("of such a part, if nothing of it is kept but its chunks, is read by nobody", async () => {
    const storage = memoryAdapter();
    const total = (await image().gzBytes()) - 20;
    await endHalfWay(storage, standingStill(Math.floor(total * 0.35), flipAt(Math.floor(total * 0.3))), {
      keepWireBytes: false,
    });
    const { manager } = createTestManager(api, { storage });
    expect((await collect(await manager.get(slug, version))).sha256).toBe(await image().sha256);
    expect((await manager.verify()).damaged).toEqual([]);
    await manager.close();
  });
});
