/** Nothing of an edit reaches a store, a key, an event, an error or another reader; and its ETag does not let anybody guess it. */
import { createHash } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import type { ImageEdit, StoreDriver } from "../../../src/core/index.ts";
import { bytesOf, rejection } from "../../support/collect.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { scriptedVersion } from "../../support/scripted-upstream.ts";
import { slug } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager, type TestManagerOptions } from "../../support/test-manager.ts";
import { edited, imageOf, upstreamOf, writing } from "./support.ts";

const { version } = scriptedVersion;
const content = imageOf(12, chunkBytes);
const freshness = { maxAgeMs: Number.POSITIVE_INFINITY };
const isSame = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;
const secret = "pl4nted-secret";
const places = Array.from({ length: 12 }, (_, index) => index * chunkBytes + 50);
const withSecret = writing(secret, ...places);

function made(options: TestManagerOptions = {}) {
  const upstream = upstreamOf(content);
  const test = createTestManager(upstream as never, { ...upstream, freshness, ...options });
  onTestFinished(() => test.manager.close());
  return { ...test, upstream };
}

/** A store that remembers every key and value that was ever written. */
function recordingStore(): { storage: StoreDriver; written: Uint8Array[] } {
  const written: Uint8Array[] = [];
  const keep = (key: string, bytes: Uint8Array) => written.push(Buffer.from(key), Buffer.from(bytes));
  const driver = memoryAdapter();
  const storage: StoreDriver = {
    ...driver,
    setItemRaw: async (key, value: Uint8Array, options) => {
      // What is written must stay as it is until it is: the secret must not come into it meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 5));
      keep(key, value);
      return driver.setItemRaw?.(key, value, options);
    },
    createIfAbsent: async (key, value) => {
      keep(key, value);
      return driver.createIfAbsent!(key, value);
    },
  };
  return { storage, written };
}

describe("nothing of an edit", () => {
  test("gets into the store, even if others read along", async () => {
    const { storage, written } = recordingStore();
    const { manager, events, upstream } = made({ storage });
    const get = (options: object) => manager.get(slug, version, options).then(bytesOf);
    const several = await Promise.all([
      get({ edit: withSecret }),
      get({}),
      get({ edit: withSecret, range: { start: 3 * chunkBytes } }),
      get({ edit: writing("another-pl4nted", 50) }),
    ]);
    const withIt = await edited(content, withSecret);
    expect(isSame(several[0]!, withIt)).toBe(true);
    expect(isSame(several[1]!, content)).toBe(true);
    expect(isSame(several[2]!, withIt.slice(3 * chunkBytes))).toBe(true);
    expect(isSame(several[3]!, await edited(content, writing("another-pl4nted", 50)))).toBe(true);
    await get({ edit: withSecret, cache: "reload" });
    expect(isSame(await get({ cache: "only-if-cached" }), content)).toBe(true);
    expect(upstream.downloads).toHaveLength(2);
    expect(written.length).toBeGreaterThan(20);
    expect(Buffer.concat(written).includes("pl4nted")).toBe(false);
    expect(inspect(events.all, { depth: 12 })).not.toContain("pl4nted");
    expect(inspect(manager, { depth: 12, showHidden: true })).not.toContain("pl4nted");
  });

  test("gets into the store when that is mended under it, or fails", async () => {
    for (const does of ["flip", "throw", "nothing"] as const) {
      const { storage, written } = recordingStore();
      await made({ storage }).manager.prefetch(slug, version);
      const faulty = faultyDriver(storage, {
        operation: "getItemRaw",
        key: /:chunks:/,
        does,
        at: 3,
        times: 4,
      });
      const { manager, events } = made({ storage: faulty });
      const stream = await manager.get(slug, version, { edit: withSecret });
      expect(isSame(await bytesOf(stream), await edited(content, withSecret)), does).toBe(true);
      expect(Buffer.concat(written).includes("pl4nted"), does).toBe(false);
      expect(inspect(events.all, { depth: 12 }), does).not.toContain("pl4nted");
    }
  });

  test("gets into an error of the library", async () => {
    const bytes = new TextEncoder().encode(secret);
    const wrong: ImageEdit[] = [
      async () => [{ start: content.length, bytes }],
      async () => [
        { start: 0, bytes },
        { start: 1, bytes },
      ],
      async () => [{ start: secret as unknown as number, bytes }],
      async () => [{ start: 0, bytes: secret as unknown as Uint8Array }],
      async () => secret as unknown as [],
      async ({ read }) => [{ start: 0, bytes: await read(secret as unknown as number, 5) }],
    ];
    const { manager } = made({ editKey: `${secret}-that-is-a-key` });
    for (const edit of wrong) {
      const failure = await rejection(manager.get(slug, version, { edit }));
      expect(inspect(failure, { depth: 12, showHidden: true })).not.toContain("pl4nted");
    }
    const short = () => made({ editKey: secret });
    expect(short).toThrow(/editKey/);
    expect(short).not.toThrow(/pl4nted/);
  });
});

describe("the ETag of an edited image", () => {
  const etagOf = async (options: TestManagerOptions, edit: ImageEdit | undefined) => {
    const { manager } = made(options);
    const info = await manager.prefetch(slug, version);
    const stream = await manager.get(slug, version, edit && { edit });
    await stream.cancel();
    expect(stream.etag).toMatch(/^"[0-9a-f]{64}"$/);
    return { etag: stream.etag!, plain: info.etag };
  };
  const editKey = "a key of 16 characters, or more";

  test("is the same for the same edit under the same key, as text or bytes", async () => {
    const [one, two] = [await etagOf({ editKey }, withSecret), await etagOf({ editKey }, withSecret)];
    expect(one.etag).toBe(two.etag);
    expect(one.etag).not.toBe(one.plain);
    const bytes = new TextEncoder().encode(editKey);
    expect((await etagOf({ editKey: bytes }, withSecret)).etag).toBe(one.etag);
  });

  test("differs for other spans, another key, and no key", async () => {
    const tags = [
      await etagOf({ editKey }, withSecret),
      await etagOf({ editKey }, writing(secret, ...places.slice(1))),
      await etagOf({ editKey }, writing(`${secret}!`, ...places)),
      await etagOf({ editKey }, async () => []),
      await etagOf({ editKey: `${editKey}!` }, withSecret),
      await etagOf({}, withSecret),
      await etagOf({}, withSecret),
    ].map(({ etag }) => etag);
    expect(new Set(tags).size).toBe(tags.length);
  });

  test("stays the same for all gets of a manager without a key", async () => {
    const { manager } = made();
    await manager.prefetch(slug, version);
    const etags = await Promise.all(
      [{}, { range: { start: 5 } }].map(async (more) => {
        const stream = await manager.get(slug, version, { edit: withSecret, ...more });
        await stream.cancel();
        return stream.etag;
      }),
    );
    expect(etags[0]).toBe(etags[1]);
  });

  test("can't be computed from the image and the spans alone", async () => {
    const edit = writing("12345678", 50);
    const { etag, plain } = await etagOf({}, edit);
    const whole = await edited(content, edit);
    for (const guess of [whole, new TextEncoder().encode("12345678"), Buffer.from(`${plain}12345678`)])
      expect(etag).not.toContain(createHash("sha256").update(guess).digest("hex"));
  });

  test.each<[string, unknown]>([
    ["too short", "fifteen letters"],
    ["too long", "x".repeat(1025)],
    ["a number", 1234567890123456],
    ["too few bytes", new Uint8Array(15)],
    ["an ArrayBuffer", new ArrayBuffer(32)],
    ["null", null],
  ])("needs no key that is %s", (_, key) => {
    const create = () => made({ editKey: key as string });
    expect(create).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("has a key of its own, whatever becomes of the bytes that were given", async () => {
    const key = new Uint8Array(16).fill(3);
    const { manager } = made({ editKey: key });
    key.fill(0);
    await manager.prefetch(slug, version);
    const stream = await manager.get(slug, version, { edit: withSecret });
    await stream.cancel();
    expect(stream.etag).toBe((await etagOf({ editKey: new Uint8Array(16).fill(3) }, withSecret)).etag);
  });
});
