// Places are taken, given back once, and taken again.
import { expect, test } from "vitest";
import { createTransferLimit } from "../../../src/core/http/transfer-limit.ts";

test("has so many places, and a place given back twice is one place", () => {
  const take = createTransferLimit(2);
  const [first, second] = [take(), take()];
  expect(take()).toBeUndefined();
  first!();
  first!();
  expect(take()).toBeDefined();
  expect(take()).toBeUndefined();
  second!();
  expect(take()).toBeDefined();
});
