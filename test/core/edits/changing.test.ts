/** An image that changes at its upstream while an edit reads it: the edit is made again, or the stream fails. Two images are never mixed. */
import { expect, onTestFinished, test } from "vitest";
import { assertStillSeen } from "../../../src/core/delivery/edits/run-edits.ts";
import type { ImageEdit } from "../../../src/core/index.ts";
import { bytesOf, rejection } from "../../support/collect.ts";
import { fileResponse, scriptedUpstream, scriptedVersion } from "../../support/scripted-upstream.ts";
import { slug } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";
import { edited, imageOf, reading } from "./support.ts";

const { version } = scriptedVersion;
const first = imageOf(20, chunkBytes, 1);
const isSame = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;

/** The same image but for one chunk. */
function otherAt(index: number): Uint8Array<ArrayBuffer> {
  const bytes = first.slice();
  bytes.fill(9, index * chunkBytes, index * chunkBytes + 10);
  return bytes;
}

/** Answers each download with the next of these, and then with the last. */
function managerOver(...contents: Uint8Array<ArrayBuffer>[]) {
  const upstream = scriptedUpstream({
    respond: ({ count }) => fileResponse((contents[count] ?? contents.at(-1)!).slice()),
    request: { gzip: false },
  });
  const { manager } = createTestManager(upstream as never, upstream);
  onTestFinished(() => manager.close());
  return { manager, upstream };
}

// Read where nothing can be stored: the end comes by a second download.
const end = (seen: Uint8Array[] = []): ImageEdit => reading(seen, 0, -20);
const noStore = { cache: "no-store" } as const;

test("the edit is made again for the new image, as long as nothing is delivered", async () => {
  const changed = otherAt(1);
  const { manager, upstream } = managerOver(first, changed);
  const bytes = await bytesOf(await manager.get(slug, version, { edit: end(), ...noStore }));
  expect(isSame(bytes, await edited(changed, end()))).toBe(true);
  expect(upstream.downloads).toHaveLength(4);
});

test("an image that is another one each time is an error after few downloads", async () => {
  const contents = Array.from({ length: 20 }, (_, index) => {
    const bytes = first.slice(0, first.length);
    bytes.fill(index + 1, 0, 10);
    return bytes;
  });
  const { manager, upstream } = managerOver(...contents);
  const failure = await rejection(manager.get(slug, version, { edit: end(), ...noStore }));
  expect(failure).toMatchObject({ code: "IMAGE_CHANGED" });
  expect(upstream.downloads.length).toBeLessThanOrEqual(6);
});

test("what the edit has read must be what is delivered", async () => {
  const { manager } = managerOver(first, otherAt(19));
  const seen: Uint8Array[] = [];
  const edit: ImageEdit = async ({ size, read }) => {
    seen.push(await read(size - 10, size), await read(19 * chunkBytes, 19 * chunkBytes + 10));
    return [{ start: 0, bytes: seen[1]! }];
  };
  const stream = await manager.get(slug, version, { edit, ...noStore });
  expect(seen[1]).toEqual(new Uint8Array(10).fill(9)); // of the second download
  expect(await rejection(bytesOf(stream))).toMatchObject({ code: "IMAGE_CHANGED" });
});

test("chunks that were read count, whether or not they are delivered", () => {
  const check = (...digests: string[]) => assertStillSeen(new Map([[1, "b"]]), digests);
  check();
  check("x");
  check("x", "b", "c");
  expect(() => check("x", "c")).toThrow(expect.objectContaining({ code: "IMAGE_CHANGED" }));
});

test("the same edit of another image has another ETag", async () => {
  const editKey = "the same key for both";
  const etags = await Promise.all(
    [first, otherAt(5)].map(async (content) => {
      const upstream = managerOver(content).upstream;
      const freshness = { maxAgeMs: Number.POSITIVE_INFINITY };
      const { manager } = createTestManager(upstream as never, { ...upstream, editKey, freshness });
      await manager.prefetch(slug, version);
      const stream = await manager.get(slug, version, {
        edit: async () => [{ start: 7, bytes: new Uint8Array(3) }],
      });
      await stream.cancel();
      return stream.etag;
    }),
  );
  expect(etags[0]).toBeDefined();
  expect(etags[0]).not.toBe(etags[1]);
});
