/** When and how often a source is asked how an image follows from another. */
import { expect, test } from "vitest";
import {
  type DerivedImage,
  type ImageSource,
  InvalidArgumentError,
  type ResolvedImage,
  UpstreamError,
} from "../../../src/core/index.ts";
import { bytesOf, rejection } from "../../support/collect.ts";
import { scriptedVersion } from "../../support/scripted-upstream.ts";
import { slug } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager } from "../../support/test-manager.ts";
import { imageOf, upstreamOf, writing } from "./support.ts";

const { version } = scriptedVersion;
const development = { developmentMode: true };
const plain: DerivedImage = { variant: {}, edit: writing("development", 100) };

/** A manager whose source answers as told, and what it was asked. */
function answering(answer: (count: number) => DerivedImage, overrides: Partial<ImageSource> = {}) {
  const asked: ResolvedImage[] = [];
  const derive = async (image: ResolvedImage) => {
    asked.push(image);
    return answer(asked.length);
  };
  const upstream = upstreamOf(imageOf(2, chunkBytes));
  const source = { ...upstream.source, derive, ...overrides };
  return { ...createTestManager(upstream as never, { ...upstream, source }), asked };
}

test("an answer that does not come at once is asked for again", async () => {
  const { manager, asked } = answering((count) => {
    if (count < 3) throw new UpstreamError("in trouble", { status: 503 });
    return plain;
  });
  expect((await bytesOf(await manager.get(slug, version, development))).length).toBeGreaterThan(0);
  expect(asked).toHaveLength(3);
  expect(asked.every(({ isOffline }) => isOffline === false)).toBe(true);
});

test("a refusal is not asked for again", async () => {
  const { manager, asked } = answering(() => {
    throw new InvalidArgumentError("it can't be");
  });
  const failure = await rejection(manager.get(slug, version, development));
  expect(failure).toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(asked).toHaveLength(1);
});

test("a source is told that it can't or must not ask its upstream", async () => {
  let isAway = false;
  const versions = async () => {
    if (isAway) throw new UpstreamError("away", { status: 503 });
    return [scriptedVersion];
  };
  const { manager, asked } = answering(() => plain, { versions });
  await manager.prefetch(slug, version);
  await bytesOf(await manager.get(slug, version, { ...development, cache: "only-if-cached" }));
  isAway = true;
  const stream = await manager.get(slug, "^1.0.0", development);
  expect(stream.origin).toBe("stale");
  await stream.cancel();
  expect(asked.map(({ isOffline }) => isOffline)).toEqual([true, true]);
});
