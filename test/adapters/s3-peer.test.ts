// The S3 store where aws4fetch, an optional peer, is not installed.
import { expect, test, vi } from "vitest";
import { s3Adapter } from "../../src/adapters/s3/index.ts";

vi.mock("aws4fetch", () => {
  throw new Error("Cannot find package");
});

test("the missing package is named with the first use", async () => {
  const store = s3Adapter({ bucket: "bucket", region: "us-east-1", accessKeyId: "a", secretAccessKey: "s" });
  await expect(store.getItemRaw?.("a", {})).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("npm install aws4fetch"),
  });
});
