// Two processes over a store that can hold no leases: each transfers the image, and one that gives up deletes the chunks of both.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { StoreDriver } from "../../../src/core/index.ts";
import { collect } from "../../support/collect.ts";
import { eventually } from "../../support/eventually.ts";
import { cut, managerOver, noise, serving } from "../../support/own-parts.ts";
import { keysOf } from "../../support/stored-values.ts";
import { chunkBytes } from "../../support/test-manager.ts";

const content = noise(8 * chunkBytes);
const sha256 = createHash("sha256").update(content).digest("hex");
const list = cut(content, 4 * chunkBytes, "identity");

const withoutLeases = (): StoreDriver => ({ ...memoryAdapter(), createIfAbsent: async () => "unsupported" });

/** The second part comes when it may. */
function stalling() {
  const mayGoOn = Promise.withResolvers<void>();
  const served = serving(list.files);
  const fetchParts: typeof fetch = async (input, init) => {
    if (String(input).endsWith("/part-1")) await mayGoOn.promise;
    return served.fetch(input, init);
  };
  return { fetch: fetchParts, goOn: mayGoOn.resolve };
}

test("a transfer whose chunks another one has deleted is delivered, and not committed", async () => {
  const storage = withoutLeases();
  const [paused, leaving] = [stalling(), stalling()];
  const first = managerOver(list, paused.fetch, { storage });
  const stream = await first.manager.get("board", "1.0.0");
  const reading = collect(stream);
  await eventually(async () => expect(await keysOf(storage, "chunks")).toHaveLength(4));

  const second = managerOver(list, leaving.fetch, { storage });
  const left = await second.manager.get("board", "1.0.0");
  const reader = left.getReader();
  for (let bytes = 0; bytes < 4 * chunkBytes; ) bytes += (await reader.read()).value!.length;
  await reader.cancel();
  await second.manager.close();
  expect(await keysOf(storage, "chunks")).toEqual([]);

  paused.goOn();
  expect((await reading).sha256).toBe(sha256);
  expect(await stream.committed()).toBeUndefined();
  expect(String(first.events.of("not-stored")[0]?.cause)).toContain("did not keep");
  await first.manager.close();

  const third = managerOver(list, serving(list.files).fetch, { storage });
  const again = await third.manager.get("board", "1.0.0");
  expect((await collect(again)).sha256).toBe(sha256);
  expect(await again.committed()).toBeDefined();
  expect((await third.manager.verify()).damaged).toEqual([]);
  await third.manager.close();
});
