// Images in parts, shared: many gets, in one process and in several, ask for each part once.
import { describe, expect, test } from "vitest";
import { balenaApiSource } from "../../../src/adapters/balena-api/index.ts";
import { collect } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { createTestManager } from "../../support/test-manager.ts";
import { lease, stores } from "../sharing/support.ts";
import { nothingOnItsWay } from "./kills.ts";

const api = await sharedApi({ assets: true, imageBytes: 8 * 1024 * 1024 });
const image = () => api.image(slug, version);
const partsAsked = () =>
  api.counters.requestLog.flatMap(({ url }) => /part-\d+/.exec(url)?.[0] ?? []).toSorted();
const eachOnce = ["part-0", "part-1", "part-2", "part-3", "part-4"];

describe.each(stores)("over %s", (_, newStore) => {
  test("50 gets at once, each at its own pace, ask for each part once", async () => {
    const { manager } = createTestManager(api, { storage: await newStore() });
    const streams = await Promise.all(Array.from({ length: 50 }, () => manager.get(slug, version)));
    const read = await Promise.all(streams.map(collect));
    expect(new Set(read.map(({ sha256 }) => sha256))).toEqual(new Set([await image().sha256]));
    expect(partsAsked()).toEqual(eachOnce);
    await manager.close();
  });

  test.each([{ connections: 1 }, { connections: 4 }])(
    "processes that share it make one transfer (%o)",
    async ({ connections }) => {
      const storage = await newStore();
      const source = () => balenaApiSource({ apiUrl: api.url });
      const open = () => createTestManager(api, { storage, source: source(), lease, connections });
      const processes = [open(), open(), open()];
      const read = await Promise.all(
        processes.map(async ({ manager }) => collect(await manager.get(slug, version))),
      );
      for (const { sha256 } of read) expect(sha256).toBe(await image().sha256);
      expect(partsAsked()).toEqual(eachOnce);
      await Promise.all(processes.map(({ manager }) => manager.close()));
    },
  );

  test("the last reader to leave closes all connections, also those that were opened early", async () => {
    const { manager } = createTestManager(api, { storage: await newStore(), connections: 4 });
    const streams = await Promise.all([manager.get(slug, version), manager.get(slug, version)]);
    for (const stream of streams) {
      const reader = stream.getReader();
      await reader.read();
      await reader.cancel();
    }
    await nothingOnItsWay(api);
    await manager.close();
  });
});
