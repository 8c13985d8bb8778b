/** Options of `createImageManager` that are missing, of the wrong type or out of range: a typed error that says what would be right. */
import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { createImageManager } from "../../src/core/index.ts";
import { faultyDriver } from "../support/faulty-driver.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

describe("options of createImageManager", () => {
  const { source } = scriptedUpstream({ respond: Response.error });
  const valid = { source, storage: memoryAdapter() };
  const refusal = (options: unknown) => {
    try {
      createImageManager(options as never);
    } catch (failure) {
      return failure;
    }
    throw new Error("Expected createImageManager to throw");
  };

  test.each<[string, object, RegExp]>([
    ["no source", { source: undefined }, /"source" must be an ImageSource, for example balenaSdkSource/],
    ["a source that is a text", { source: "https://api.balena-cloud.com" }, /"source"/],
    ["a source without id", { source: { ...source, id: "" } }, /"source"/],
    ["a source without versions", { source: { ...source, versions: undefined } }, /"source"/],
    ["an empty prefix", { prefix: "" }, /"prefix" must be 1 to 200 characters of/],
    ["a prefix that is a path", { prefix: "a/b" }, /"prefix"/],
    ["a prefix with a hole", { prefix: "a::b" }, /"prefix"/],
    ["a prefix that ends in a colon", { prefix: "a:" }, /"prefix"/],
    ["a prefix that hides keys", { prefix: "a$" }, /"prefix"/],
    ["a prefix that is no text", { prefix: 5 }, /"prefix"/],
    ["a prefix without end", { prefix: "a".repeat(201) }, /"prefix"/],
    [
      "chunks that are too small",
      { chunkBytes: 256 * 1024 - 1 },
      /"chunkBytes" must be a whole number from 262144 to 67108864/,
    ],
    ["chunks that are too large", { chunkBytes: 64 * 1024 * 1024 + 1 }, /"chunkBytes"/],
    ["chunks of a text", { chunkBytes: "4MiB" }, /"chunkBytes"/],
    ["no memory", { memoryBytes: 0 }, /"memoryBytes"/],
    ["freshness that is null", { freshness: null }, /"freshness" must be an object/],
    ["freshness that is a number", { freshness: 5 }, /"freshness" must be an object/],
    ["a negative age", { freshness: { maxAgeMs: -1 } }, /"freshness.maxAgeMs" must be/],
    ["an age that is none", { freshness: { maxAgeMs: Number.NaN } }, /"freshness.maxAgeMs"/],
    ["a staleness that is a text", { freshness: { staleIfErrorMs: "1h" } }, /"freshness.staleIfErrorMs"/],
    ["retry that is null", { retry: null }, /"retry" must be an object/],
    ["a lease that is null", { lease: null }, /"lease" must be an object/],
    ["no connection", { connections: 0 }, /"connections" must be a whole number from 1 to 16/],
    ["too many connections", { connections: 17 }, /"connections"/],
    ["no time for look-ups", { lookUpTimeoutMs: 0 }, /"lookUpTimeoutMs" must be a whole number from 1/],
    ["no attempt", { retry: { attempts: 0 } }, /"retry.attempts" must be a whole number from 1/],
    ["endless attempts", { retry: { attempts: Number.POSITIVE_INFINITY } }, /"retry.attempts"/],
    ["a delay that no timer takes", { retry: { maxDelayMs: 2 ** 31 } }, /"retry.maxDelayMs"/],
    ["no idle time", { retry: { idleTimeoutMs: 0 } }, /"retry.idleTimeoutMs"/],
    [
      "inflate that is no function",
      { inflate: new DecompressionStream("gzip") },
      /"inflate" must be a function/,
    ],
    ["now that is no function", { now: 0 }, /"now" must be a function/],
    ["fetch that is no function", { fetch: "fetch" }, /"fetch" must be a function/],
    ["onEvent that is no function", { onEvent: console }, /"onEvent" must be a function/],
  ])("%s", (_, options, message) => {
    expect(refusal({ ...valid, ...options })).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(message),
    });
  });

  test.each([undefined, null, 5, "x"])("%s instead of options", (options) => {
    expect(refusal(options)).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("the defaults are fine, and nothing is asked or read for them", () => {
    const storage = faultyDriver(memoryAdapter());
    expect(createImageManager({ source, storage })).toHaveProperty("get");
    expect(storage.calls).toEqual([]);
  });
});
