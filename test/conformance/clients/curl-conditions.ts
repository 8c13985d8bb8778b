// curl and conditional requests.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deepEqual, equal } from "../../runtimes/suites/assert.ts";
import { defaultLastModified } from "../../support/balena-api/index.ts";
import { assertIsImage, type Checks } from "../run/check.ts";
import { curl } from "./curl.ts";

const secondBefore = new Date(defaultLastModified.getTime() - 1000).toUTCString();

/** The rows. */
export const curlConditions: Checks = {
  "curl -z: 304 since then, 200 since before": async ({ directory, warm }) => {
    const since = await curl(directory, warm.url, "-z", defaultLastModified.toUTCString());
    deepEqual([since.status, since.headers.has("etag")], [304, true], "the answer since then");
    const before = await curl(directory, warm.url, "-z", secondBefore);
    equal(before.status, 200, "status since before");
    await assertIsImage(before.file, warm);
  },
  "curl --etag-save, --etag-compare: 304": async ({ directory, warm }) => {
    await curl(directory, warm.url, "--etag-save", "etag");
    const same = await curl(directory, warm.url, "--etag-compare", "etag", "-o", "same");
    equal(same.status, 304, "status with the saved ETag");
    await writeFile(join(directory, "etag"), '"another"');
    const other = await curl(directory, warm.url, "--etag-compare", "etag");
    equal(other.status, 200, "status with another ETag");
  },
  "curl If-Range: a part of the right image, the whole of another": async ({ directory, warm }) => {
    const etag = (await curl(directory, warm.url, "-I")).headers.get("etag");
    const wrong = ['"another"', `W/${etag}`, secondBefore];
    const statusWith = async (validator: string) => {
      const { status } = await curl(directory, warm.url, "-r", "0-99", "-H", `If-Range: ${validator}`);
      return status;
    };
    equal(await statusWith(String(etag)), 206, "status with the ETag");
    equal(await statusWith(defaultLastModified.toUTCString()), 206, "status with the date");
    for (const validator of wrong) equal(await statusWith(validator), 200, `status with ${validator}`);
  },
  "curl If-Match: 412 for another image": async ({ directory, warm }) => {
    const { status } = await curl(directory, warm.url, "-H", 'If-Match: "another"');
    equal(status, 412, "status");
  },
};
