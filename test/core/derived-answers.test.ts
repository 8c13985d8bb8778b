/** What a source says about derived images is checked like all that it says. */
import { expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { createImageManager, type DerivedImage, type ResolvedImage } from "../../src/core/index.ts";
import { checkedSource } from "../../src/core/upstream/source.ts";
import { rejection } from "../support/collect.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

const image: ResolvedImage = {
  deviceType: "some-type",
  version: "1.0.0",
  variant: { developmentMode: true },
  fileType: ".gz",
  signal: new AbortController().signal,
};
const edit = async () => [];

/** The answer, as the manager sees it. */
function derived(answer: unknown) {
  const { source } = scriptedUpstream({
    respond: () => new Response(),
    source: { derive: async () => answer as DerivedImage },
  });
  return checkedSource(source, 10_000).derive(image);
}

test("a source without the method derives nothing", async () => {
  const { source } = scriptedUpstream({ respond: () => new Response() });
  expect(await checkedSource(source, 10_000).derive(image)).toBeUndefined();
});

test("the plainer variant arrives in its normal form", async () => {
  const variant = { scope: "theirs", imageType: "raw", developmentMode: false, network: "wifi" };
  expect(await derived({ variant, edit })).toEqual({
    variant: { imageType: "raw", network: "wifi" },
    edit,
  });
  expect(await derived(undefined)).toBeUndefined();
});

test.each([
  ["null", null],
  ["a text", "plain"],
  ["no variant", { edit }],
  ["a variant that is none", { variant: { appId: "7" }, edit }],
  ["no edit", { variant: {} }],
  ["an edit that is no function", { variant: {}, edit: [] }],
  ["a word in place of true", { variant: {}, edit, isNewEachTime: "yes" }],
])("%s is UPSTREAM", async (_, answer) => {
  expect(await rejection(derived(answer))).toMatchObject({ code: "UPSTREAM", unavailable: false });
});

test.each(["scope", "derive", "config"])("a source whose %s is no function is refused", (name) => {
  const { source } = scriptedUpstream({ respond: () => new Response() });
  expect(() =>
    createImageManager({ source: { ...source, [name]: 7 } as never, storage: memoryAdapter() }),
  ).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
});
