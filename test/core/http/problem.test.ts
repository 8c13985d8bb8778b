// Every code of the library as a client sees it, and that nothing internal goes with it.
import { describe, expect, test } from "vitest";
import { createImageHandler } from "../../../src/core/http/index.ts";
import * as core from "../../../src/core/index.ts";
import { problemIn } from "./support.ts";

const secret = "token=hunter2 at https://db.internal:6379/v1:images:key";
const cause = new Error(secret);
const options = { cause };

const failures: Record<core.ImageManagerErrorCode, [number, core.ImageManagerError]> = {
  INVALID_ARGUMENT: [400, new core.InvalidArgumentError(secret, options)],
  INVALID_VERSION: [400, new core.InvalidVersionError(secret, secret, options)],
  DEVICE_TYPE_NOT_FOUND: [404, new core.DeviceTypeNotFoundError(secret, options)],
  VERSION_NOT_FOUND: [404, new core.VersionNotFoundError("intel-nuc", secret, "6.3.2", options)],
  NOT_CACHED: [504, new core.NotCachedError(secret, options)],
  UNAUTHORIZED: [502, new core.UnauthorizedError(secret, 401, options)],
  UPSTREAM: [502, new core.UpstreamError(secret, { status: 500 }, options)],
  TRUNCATED_DOWNLOAD: [502, new core.TruncatedDownloadError(secret, 1, 2, options)],
  IMAGE_CHANGED: [502, new core.ImageChangedError(secret, options)],
  INTEGRITY: [500, new core.IntegrityError(secret, 1, options)],
  STORE: [503, new core.StoreError(secret, options)],
  LISTING_INCOMPLETE: [501, new core.ListingIncompleteError(secret, options)],
  CLOSED: [503, new core.ClosedError(secret, options)],
  EDIT: [422, new core.EditError("full", secret, options)],
};

/** A manager of which every call fails. */
function failing(failure: unknown): core.ImageManager {
  const fail = async () => Promise.reject(failure);
  return {
    get: fail,
    resolve: fail,
    versions: fail,
    inspect: fail,
    async *list() {
      yield* [];
      throw failure;
    },
  } as unknown as core.ImageManager;
}

async function answers(failure: unknown) {
  const errors: unknown[] = [];
  const onError = (error: unknown) => {
    errors.push(error);
    throw new Error("an operator's fault");
  };
  const handler = createImageHandler(failing(failure), { authorize: () => true, onError });
  const paths = ["/images/intel-nuc/6.3.2", "/images/intel-nuc/latest", "/images", "/versions/intel-nuc"];
  const responses = paths.map((path) => handler(new Request(`http://localhost${path}`)));
  return { responses: await Promise.all(responses), errors };
}

test.each(Object.entries(failures))("%s", async (code, [status, failure]) => {
  const { responses, errors } = await answers(failure);
  for (const response of responses) {
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    const text = await response.clone().text();
    expect(text).not.toMatch(/hunter2|internal\b:|6379|v1:/);
    expect(await problemIn(response)).toEqual({
      code,
      status,
      title: expect.stringMatching(/^[A-Z]/),
      detail: expect.stringMatching(/\.$/),
      ...(code === "VERSION_NOT_FOUND" && { nearest: "6.3.2" }),
      ...(code === "EDIT" && { reason: "full" }),
    });
    expect([...response.headers.values()].join()).not.toContain("hunter2");
  }
  expect(errors).toEqual(status >= 500 ? [failure, failure, failure, failure] : []);
});

describe("what is not the library's", () => {
  test.each<[string, unknown]>([
    ["an error", cause],
    ["an error that calls itself ours", Object.assign(new Error(secret), { code: "UPSTREAM" })],
    [
      "an error of a version with more codes",
      Object.assign(new core.StoreError(secret), { code: "constructor" }),
    ],
    ["a text", secret],
    ["nothing", undefined],
    ["an abort that the client did not ask for", new DOMException(secret, "AbortError")],
    ["a nearest version that is none", new core.VersionNotFoundError("a", "b", secret)],
  ])("%s", async (_, failure) => {
    for (const response of (await answers(failure)).responses) {
      expect([404, 500]).toContain(response.status);
      expect(await response.text()).not.toContain("hunter2");
    }
  });
});
