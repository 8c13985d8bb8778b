/** What is kept of errors that are not ours: enough to tell what happened, and nothing that must not be printed. */
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { StoreError } from "../../src/core/errors.ts";
import { foreignError, foreignMessage, purged } from "../../src/core/foreign-error.ts";

const token = "tok-5f0a77";
const print = (value: unknown) => inspect(value, { depth: 10, showHidden: true });

describe("a copy of a foreign error", () => {
  test("keeps name, message, code, status, stack and causes", () => {
    const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    const error = Object.assign(new TypeError("fetch failed", { cause }), { statusCode: 503, status: 503 });
    const copy = foreignError(error)!;
    expect(copy).not.toBe(error);
    expect(copy).toMatchObject({
      name: "TypeError",
      message: "fetch failed",
      status: 503,
      statusCode: 503,
      cause: { message: "connect ECONNREFUSED", code: "ECONNREFUSED" },
    });
    expect(copy.stack).toMatch(/^TypeError: fetch failed\n\s+at /);
  });

  test.each<[string, unknown]>([
    ["Bun's path", Object.assign(new Error("lost"), { path: `https://a.example/x?key=${token}` })],
    [
      "Node's HTTPParserError",
      Object.assign(new Error("Parse Error"), { data: Buffer.from(token), reason: token }),
    ],
    [
      "a request with its headers",
      Object.assign(new Error("x"), { requestOptions: { headers: { a: token } } }),
    ],
    ["a code that is none", Object.assign(new Error("x"), { code: `${token}\n` })],
    ["the message, as it is and encoded", new Error(`it was ${token} ${encodeURIComponent(token)}`)],
    ["a cause of a cause", new Error("x", { cause: new Error("y", { cause: new Error(token) }) })],
    ["the name", Object.assign(new Error("x"), { name: token })],
    ["what is no error", { toString: () => token }],
    ["an aggregate's members", new AggregateError([new Error(token)], "all failed")],
    ["a long page before it", new Error(`${"<".repeat(600)}${token}`)],
  ])("has nothing of a secret in %s", (_, error) => {
    expect(print(foreignError(error, [token]))).not.toContain("5f0a77");
  });

  test("is the error itself if it is ours, and nothing for nothing", () => {
    const ours = new StoreError("full");
    expect(foreignError(ours)).toBe(ours);
    expect(foreignError(undefined)).toBeUndefined();
    expect(foreignError(null)).toBeUndefined();
  });

  test.each<[string, unknown]>([
    [
      "a chain without end",
      Object.defineProperty(new Error("x"), "cause", { get: () => new Error("y", { cause: 1 }) }),
    ],
    ["a cause that is itself", (() => Object.assign(new Error("x"), { cause: undefined }))()],
    ["a text that can't be made", { toString: null }],
    ["a symbol", Symbol("x")],
  ])("is made of %s too", (_, error) => {
    expect(foreignError(error)).toBeInstanceOf(Error);
    expect(foreignMessage(error)).not.toBe("");
  });
});

describe("a purged text", () => {
  test.each([
    ["GET https://a.example/download?wifiKey=x&b=1 failed", "GET https://a.example/download?[query] failed"],
    ["redis://joe:pass@10.0.0.1:6379 is away", "redis://[secret]@10.0.0.1:6379 is away"],
    ['"Bearer abc.def.ghi" is no header', '"Bearer [secret]" is no header'],
    ["what is it? = nothing", "what is it? = nothing"],
    ["/v7/application?$filter=x", "/v7/application?[query]"],
  ])("%s", (text, expected) => expect(purged(text)).toBe(expected));

  test("loses whole secrets, the longer ones first, and none that is too short to be one", () => {
    expect(purged("correct horse, horse, x", ["horse", "correct horse", "x", "abc"])).toBe(
      "[secret], [secret], x",
    );
    expect(purged("key=p%254%20%C3%BC or p%254+%C3%BC", ["p%4 ü"])).toBe("key=[secret] or [secret]");
  });

  test("takes no longer for a hostile text than for any other of its length", () => {
    const begun = performance.now();
    for (const piece of ["?", "?a", "http://", "Bearer ", "a@"]) purged(piece.repeat(1_000_000));
    expect(performance.now() - begun).toBeLessThan(10_000);
  });
});
