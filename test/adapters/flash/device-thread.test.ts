// Calls of a device that fails. One that hangs is in test/services/flashing.test.ts.
import { constants } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { startDeviceThread } from "../../../src/adapters/node/flash/device-thread.ts";
import { rejection } from "../../support/collect.ts";

const root = await mkdtemp(join(tmpdir(), "device-thread-"));
afterAll(() => rm(root, { recursive: true, force: true }));
const blockBytes = 4 * 1024 * 1024;

async function threadOver(path: string, flags: number, timeoutMs: number) {
  const buffered = await open(path, flags);
  const closed = Promise.withResolvers<void>();
  const close = async () => {
    await buffered.close();
    closed.resolve();
  };
  const target = { name: "card", path, isBlockDevice: false, key: path, sizeBytes: Number.POSITIVE_INFINITY };
  const calls = startDeviceThread(target, { buffered, direct: undefined, close }, blockBytes, timeoutMs);
  return { calls, buffered, closed: closed.promise };
}

test("a device that is full: ENOSPC", async () => {
  const { calls, closed } = await threadOver("/dev/full", constants.O_RDWR, 10_000);
  const failure = await rejection(calls.wipe(blockBytes));
  expect(failure).toMatchObject({ code: "STORE", cause: { code: "ENOSPC" } });
  await calls.end();
  await closed;
});

test("a device that ends early: EIO", async () => {
  const path = join(root, "short");
  await (await open(path, "w")).close();
  const { calls } = await threadOver(path, constants.O_RDWR, 10_000);
  const block = { index: 0, position: 0, length: 4096, runs: [{ start: 0, end: 4096 }], sha256: "" };
  const failure = await rejection(calls.read(block));
  expect(failure).toMatchObject({ code: "STORE", cause: { code: "EIO" } });
  expect((failure as Error).message).toContain('"card"');
  await calls.end();
});

test("without a way around the page cache, what was written is read back all the same", async () => {
  const path = join(root, "buffered");
  await (await open(path, "w")).close();
  const { calls } = await threadOver(path, constants.O_RDWR, 10_000);
  const bytes = new Uint8Array(new SharedArrayBuffer(10_000));
  bytes.set([1, 2, 3], 5_000);
  const runs = [{ start: 4096, end: 10_000 }];
  const written = await calls.write({ index: 1, position: 100, bytes, runs });
  await calls.sync();
  expect(await calls.read(written)).toBe(written.sha256);
  const file = await open(path, "r+");
  await file.write(Buffer.from([9]), 0, 1, 100 + 9_999);
  expect(await calls.read(written)).not.toBe(written.sha256);
  await file.write(Buffer.from([9]), 0, 1, 100); // what was skipped is not compared
  await file.write(Buffer.from([0]), 0, 1, 100 + 9_999);
  expect(await calls.read(written)).toBe(written.sha256);
  await file.close();
  await calls.end();
});
