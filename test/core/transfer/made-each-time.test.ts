/** Images that balena configures for each download, with the time in them: no two are the same, so none can be continued or compared. */
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { collect, rejection } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { stallNext } from "../../support/stall.ts";
import { chunkKeysOf, damage } from "../../support/stored-values.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";
import { processOver, readSome, settled, shortLease } from "../sharing/support.ts";

const imageBytes = 4 * 1024 * 1024;
const api = await sharedApi({ imageBytes, holeFree: true });
const dev = { developmentMode: true } as const;
const explanation = { code: "IMAGE_CHANGED", message: expect.stringContaining("for each download") };

describe("a transfer that breaks", () => {
  test("gives the new bytes to who has nothing yet", async () => {
    const storage = memoryAdapter();
    const { manager } = createTestManager(api, { storage });
    api.faults.lose = { atPercent: 60, times: 1 };
    const stream = await manager.get(slug, version, dev);
    await settled(api, storage); // it broke, began again and found other bytes before one was read
    expect(api.counters.downloads).toBe(2);
    expect((await collect(stream)).bytes).toBe(imageBytes);
    api.faults.lose = { atPercent: 60, times: 1 };
    const info = await manager.prefetch(slug, version, { ...dev, cache: "reload" });
    expect(info.size).toBe(imageBytes);
    expect(await manager.verify()).toMatchObject({ damaged: [] });
  });

  test("is an error that says why to who has some, and the next get is right", async () => {
    const { manager } = createTestManager(api);
    api.faults.lose = { atPercent: 60, times: 1 };
    const goOn = stallNext(api);
    const stream = await manager.get(slug, version, dev);
    await readSome(stream, chunkBytes);
    goOn();
    expect(await rejection(collect(stream))).toMatchObject(explanation);
    api.faults.reset();
    expect((await collect(await manager.get(slug, version, dev))).bytes).toBe(imageBytes);
  });

  test("every time is that error in the end, after few requests", async () => {
    const { manager } = createTestManager(api);
    api.faults.lose = { atPercent: 60 };
    expect(await rejection(manager.prefetch(slug, version, dev))).toMatchObject(explanation);
    expect(api.counters.downloads).toBeLessThanOrEqual(6);
  });

  test("does not trouble the one that takes over after a kill", async () => {
    const storage = memoryAdapter();
    stallNext(api); // until its client leaves
    const first = processOver(api, { storage, lease: shortLease });
    const left = await first.manager.get(slug, version, dev);
    await readSome(left, chunkBytes);
    await left.cancel();
    await settled(api, storage);
    api.faults.reset();
    const next = processOver(api, { storage, lease: shortLease });
    expect((await collect(await next.manager.get(slug, version, dev))).bytes).toBe(imageBytes);
    expect(await next.manager.inspect(slug, version, dev)).toBeDefined();
  });
});

describe("a stored one", () => {
  async function filled() {
    const storage = memoryAdapter();
    const made = createTestManager(api, { storage });
    const { id } = await made.manager.prefetch(slug, version, dev);
    const keys = (await chunkKeysOf(storage, id)) as string[];
    api.counters.reset();
    return { ...made, storage, keys };
  }

  test.each([0, 5])(
    "whose chunk %d is lost is dropped with that error, and the next get is right",
    async (index) => {
      const { manager, storage, keys } = await filled();
      await damage(storage, keys[index]!, "missing");
      const stream = await manager.get(slug, version, { ...dev, cache: "force-cache" });
      expect(await rejection(collect(stream))).toMatchObject(explanation);
      expect(await manager.inspect(slug, version, dev)).toBeUndefined();
      const next = await manager.get(slug, version, dev);
      expect(next.origin).toBe("network");
      expect((await collect(next)).bytes).toBe(imageBytes);
    },
  );

  test("is confirmed whatever size the next one would have", async () => {
    const { manager } = await filled();
    api.faults.change = { content: true, validators: true };
    expect((await manager.get(slug, version, dev)).origin).toBe("cache");
    expect(api.counters.transfers).toBe(0);
  });
});
