// How Vitest hosts a contract suite.
import { expect, test } from "vitest";

export const contractHost = {
  test,
  skip: (name: string, reason: string) => test.skip(`${name} (${reason})`, () => {}),
  equal: (actual: unknown, expected: unknown, message?: string) => expect(actual, message).toEqual(expected),
};
