// How several devices read one image: same bytes for all, bounded memory, and what becomes of a slow one.
import { describe, expect, test } from "vitest";
import { BlockFeed, type BlockReader } from "../../../src/adapters/node/flash/block-feed.ts";
import { rejection } from "../../support/collect.ts";

const blockBytes = 64 * 1024;
const options = { blockBytes, blocks: 3, from: 0, isZeroSkipped: false, mayLeaveBehind: true };

/** Blocks that are full of their number, in pieces of an odd size; counts what was asked for. */
function imageOf(blocks: number, lastBytes = blockBytes) {
  const state = { pieces: 0, isCancelled: false };
  async function* pieces() {
    const total = (blocks - 1) * blockBytes + lastBytes;
    try {
      for (let at = 0; at < total; at += 10_007) {
        state.pieces += 1;
        const piece = new Uint8Array(Math.min(10_007, total - at));
        for (let i = 0; i < piece.length; i++) piece[i] = 1 + Math.floor((at + i) / blockBytes);
        yield piece;
      }
    } finally {
      state.isCancelled = true;
    }
  }
  return { state, pieces: pieces() };
}

/** Reads to the end; says of each block its index, length and content. */
async function drain(reader: BlockReader, limit = Number.POSITIVE_INFINITY) {
  const seen: [index: number, length: number, content: number][] = [];
  while (seen.length < limit) {
    const block = await reader.next();
    if (!block) break;
    expect(new Set(block.bytes)).toEqual(new Set([block.index + 1]));
    seen.push([block.index, block.bytes.length, block.bytes[0]!]);
  }
  return seen;
}

const wholeOf = (blocks: number, lastBytes = blockBytes) =>
  Array.from({ length: blocks }, (_, i) => [i, i === blocks - 1 ? lastBytes : blockBytes, i + 1]);

/** As many turns as a feed takes to do what it can. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("BlockFeed", () => {
  test("gives all readers the same blocks, the last one short", async () => {
    const feed = new BlockFeed(imageOf(20, 100).pieces, options);
    const readers = [feed.open(), feed.open(), feed.open()];
    for (const seen of await Promise.all(readers.map((reader) => drain(reader))))
      expect(seen).toEqual(wholeOf(20, 100));
    await feed.ended;
  });

  test("keeps the first block to the end", async () => {
    const feed = new BlockFeed(imageOf(20).pieces, options);
    const reader = feed.open();
    const first = await reader.next();
    await drain(reader);
    expect(new Set(first!.bytes)).toEqual(new Set([1]));
  });

  test("reads no further than its memory", async () => {
    const { pieces, state } = imageOf(100);
    const reader = new BlockFeed(pieces, options).open();
    await reader.next();
    for (let turn = 0; turn < 50; turn++) await settled();
    expect(state.pieces).toBeLessThanOrEqual(Math.ceil((5 * blockBytes) / 10_007));
  });

  test("leaves a slow reader behind when another one has nothing to do", async () => {
    const feed = new BlockFeed(imageOf(20).pieces, options);
    const [fast, slow] = [feed.open(), feed.open()];
    const held = [await slow.next(), await slow.next()];
    expect(await drain(fast)).toEqual(wholeOf(20));
    expect(slow.leftBehindAt).toBe(2);
    // What it is still writing is not written over.
    expect(new Set(held[1]!.bytes)).toEqual(new Set([2]));
    expect(await slow.next()).toBeUndefined();
    expect(slow.leftBehindAt).toBe(2);
  });

  test("waits for a slow reader that could not get the rest in another way", async () => {
    const feed = new BlockFeed(imageOf(20).pieces, { ...options, mayLeaveBehind: false });
    const [fast, slow] = [feed.open(), feed.open()];
    await slow.next();
    const draining = drain(fast);
    for (let turn = 0; turn < 50; turn++) await settled();
    expect(slow.leftBehindAt).toBeUndefined();
    expect((await drain(slow)).length).toBe(19);
    expect(await draining).toEqual(wholeOf(20));
  });

  test("a reader that closes holds nobody up", async () => {
    const feed = new BlockFeed(imageOf(20).pieces, { ...options, mayLeaveBehind: false });
    const [fast, failing] = [feed.open(), feed.open()];
    await failing.next();
    const draining = drain(fast);
    for (let turn = 0; turn < 50; turn++) await settled();
    failing.close();
    expect(await draining).toEqual(wholeOf(20));
  });

  test("lets go of the image when nobody reads any more", async () => {
    const { pieces, state } = imageOf(20);
    const feed = new BlockFeed(pieces, options);
    const reader = feed.open();
    await reader.next();
    reader.close();
    await feed.ended;
    expect(state.isCancelled).toBe(true);
  });

  test("begins with a later block", async () => {
    const reader = new BlockFeed(imageOf(2).pieces, { ...options, from: 7 }).open();
    const [one, other] = [await reader.next(), await reader.next()];
    expect([one!.index, one!.position, other!.index]).toEqual([7, 7 * blockBytes, 8]);
  });

  test("hands the image's failure to its readers", async () => {
    async function* failing() {
      yield new Uint8Array(blockBytes).fill(1);
      throw new Error("cut off");
    }
    const feed = new BlockFeed(failing(), options);
    const reader = feed.open();
    expect(((await rejection(drain(reader))) as Error).message).toBe("cut off");
    expect(((await rejection(feed.ended)) as Error).message).toBe("cut off");
  });

  test("says what is to be written if zeros are skipped", async () => {
    const zeros = 2 * 64 * 1024;
    async function* pieces() {
      const piece = new Uint8Array(4 * 64 * 1024);
      piece[5] = 1;
      piece[zeros + 64 * 1024] = 1;
      yield piece;
    }
    const reader = new BlockFeed(pieces(), {
      ...options,
      blockBytes: 4 * 64 * 1024,
      isZeroSkipped: true,
    }).open();
    const block = await reader.next();
    expect(block!.runs).toEqual([
      { start: 0, end: 4096 },
      { start: zeros + 64 * 1024, end: zeros + 64 * 1024 + 4096 },
    ]);
  });
});
