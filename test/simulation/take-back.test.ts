/** The list of what is taken out follows the code: each place is there once. Whether a seed finds it is tried by `npm run simulate:take-back`. */
import { expect, test } from "vitest";
import { sourceOf, without } from "./take-back-one.ts";
import { takenBack } from "./taken-back.ts";

test.each(takenBack)("$name: its places are there", async ({ edits }) => {
  const texts = new Map<string, string>();
  for (const edit of edits) {
    const text = texts.get(edit.file) ?? (await sourceOf(edit.file));
    texts.set(edit.file, without(text, edit));
    expect(texts.get(edit.file)).not.toBe(text);
  }
});

test("a place that is gone, or there twice, is named", () => {
  const edit = { file: "a.ts", find: "if (b)", put: "" };
  expect(() => without("if (c) d();", edit)).toThrow("a.ts has 0 places instead of one with: if (b)");
  expect(() => without("if (b) if (b) d();", edit)).toThrow("a.ts has 2 places");
  expect(without("if (b) d();", edit)).toBe(" d();");
});
