/** A version that is listed and a download that is refused: the error says what was refused, in the server's own words. */
import { describe, expect, test } from "vitest";
import { monotonicMs } from "../../src/core/clock.ts";
import type { GetOptions } from "../../src/core/index.ts";
import { messageIn } from "../../src/core/upstream/server-words.ts";
import { foreignFleet } from "../support/balena-api/index.ts";
import { rejection } from "../support/collect.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 512 * 1024 });
const messageOf = async (options: GetOptions = {}) => {
  const failure = await rejection(createTestManager(api).manager.get(slug, version, options));
  return (failure as Error).message;
};

test.each<[string, GetOptions, string[]]>([
  [
    "a fleet that the account must not see",
    { appId: foreignFleet },
    ['the fleet of "appId"', '"You do not have permission to access this application"'],
  ],
  [
    "an image type that the device type has not",
    { imageType: "flasher" },
    ['imageType "flasher"', `"Image type flasher not found for ${slug}"`],
  ],
  ["an image type that is the default one", { imageType: "raw" }, ['imageType "raw" (leave it out']],
])("%s is named", async (_, options, parts) => {
  const { manager } = createTestManager(api);
  const failure = await rejection(manager.get(slug, version, options));
  expect(failure).toMatchObject({ code: "VERSION_NOT_FOUND", deviceType: slug, version });
  for (const part of parts) expect((failure as Error).message).toContain(part);
  expect((failure as Error).message).not.toContain("satisfies");
});

test.each<[number, unknown, string]>([
  [403, "Not for you", ': it says "Not for you"'],
  [410, { message: "Withdrawn" }, ': it says "Withdrawn"'],
  [404, { error: { message: "Deeper" } }, ': it says "Deeper"'],
  [400, `${"x".repeat(300)}`, `: it says "${"x".repeat(200)}"`],
  [400, "two\nlines\u202e turned", ': it says "two lines turned"'],
  [400, {}, "HTTP 400"],
  [429, undefined, ': it says "Too Many Requests"'],
])("HTTP %i with the body %j is quoted, on one line and not at length", async (status, body, end) => {
  api.faults.refuse = { status, body };
  const message = await messageOf();
  expect(message).toContain(String(status));
  expect(message).toContain(end);
});

describe("what a body says", () => {
  test.each([
    ['"words"', "words"],
    ['{"error":"e","message":"m"}', "m"],
    [
      "<?xml?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
      "Request has expired",
    ],
    ["<html><head><title>502 Bad Gateway</title></head><body>…</body></html>", "502 Bad Gateway"],
    ["<html><body>no title</body></html>", ""],
    ["plain", "plain"],
    ["null", ""],
    ["[1]", ""],
    ["", ""],
  ])("%s", (text, words) => expect(messageIn(text)).toBe(words));
});

test.each<[string, () => ReadableStream<Uint8Array>]>([
  ["without end", () => new ReadableStream({ pull: (body) => body.enqueue(new Uint8Array(1024).fill(65)) })],
  ["that stops", () => new ReadableStream({ start: (body) => body.enqueue(new Uint8Array(3).fill(65)) })],
])("an error page %s is not waited for", async (_, body) => {
  const answer: typeof fetch = async (input, init) =>
    String(input).includes("/download?") ? new Response(body(), { status: 404 }) : fetch(input, init);
  const { manager } = createTestManager(api, { fetch: answer });
  const begun = monotonicMs();
  const failure = await rejection(manager.get(slug, version));
  expect(failure).toMatchObject({ code: "VERSION_NOT_FOUND" });
  expect(monotonicMs() - begun).toBeLessThan(15_000);
});
