// How many requests a first get sends to a real S3 server, of any method.
import { expect, test } from "vitest";
import { s3Adapter } from "../../src/adapters/s3/index.ts";
import { collect } from "../support/collect.ts";
import { cut, managerOver, noise, serving } from "../support/own-parts.ts";
import { newBucket } from "../support/s3-service.ts";

const chunkBytes = 1024 * 1024;
const chunks = 96;

/** Bytes of which deflate leaves so many of a thousand. */
function compressible(rest: number): Uint8Array<ArrayBuffer> {
  const bytes = noise(chunks * chunkBytes);
  if (rest < 1_000) for (let at = 0; at < bytes.length; at += 1_000) bytes.fill(7, at + rest, at + 1_000);
  return bytes;
}

test.each([
  ["without compressed bytes", "identity", 1_000, false, 1.3],
  ["with compressed bytes that are a fifth", "deflate-raw", 195, true, 1.6],
] as const)("%s", async (_, encoding, rest, keepWireBytes, most) => {
  const list = cut(compressible(rest), (chunks * chunkBytes) / 2, encoding);
  const { access } = await newBucket();
  const requests: string[] = [];
  const counting: typeof fetch = (input, init) => {
    requests.push(init?.method ?? "GET");
    return fetch(input, init);
  };
  const storage = s3Adapter({ ...access, fetch: counting });
  const { manager, events } = managerOver(list, serving(list.files).fetch, {
    storage,
    chunkBytes,
    keepWireBytes,
  });
  const startedMs = performance.now();
  const stream = await manager.get("board", "1.0.0");
  await collect(stream);
  expect(await stream.committed()).toBeDefined();
  await manager.close();
  expect(events.of("store-fault")).toEqual([]);
  // A slow server or machine makes it last: then each second has a segment, and half a beat of the lease, which is a read and a write.
  const seconds = (performance.now() - startedMs) / 1_000;
  console.log(`${requests.length / chunks} requests a chunk, in ${seconds.toFixed(1)} s`);
  expect(requests.length - 2 * seconds).toBeLessThan(most * chunks);
});
