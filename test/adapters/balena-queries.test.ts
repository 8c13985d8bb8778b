// Every query that a source of ours sends is read by balena's own parser, as `fetch` puts it on the wire.
import { parse } from "@balena/odata-parser";
import { describe, expect, test } from "vitest";
import { assetsPath, deviceTypePath, versionsPath } from "../../src/adapters/balena-api/queries.ts";

describe("queries", () => {
  test.each([
    ["a slug", deviceTypePath("raspberrypi4-64")],
    ["an alias with capitals", deviceTypePath("ZE250")],
    ["an alias with a plus", deviceTypePath("odroid-u3+")],
    ["versions", versionsPath("raspberrypi4-64", false)],
    ["the assets of a release", assetsPath("raspberrypi4-64", "2.60.1+rev1.prod")],
    ["versions with drafts", versionsPath("raspberrypi4-64", true)],
  ])("balena's parser reads the query for %s", (_, path) => {
    expect(() => parse(sent(path))).not.toThrow();
  });

  test("what stands in quotes arrives as it was asked for", () => {
    for (const alias of ["ZE250", "odroid-u3+", "it's"]) {
      expect(parse(sent(deviceTypePath(alias))).binds).toContainEqual(["Text", alias]);
    }
  });

  test("the parser refuses what was encoded whole", () => {
    const encoded = encodeURIComponent("device_type_alias/any(dta:dta/is_referenced_by__alias eq 'x')");
    expect(() => parse(sent(`/v7/device_type?$filter=${encoded}`))).toThrow(/Expected/);
  });
});

/** The path as `fetch` sends it, below the API's version. */
function sent(path: string): string {
  const { pathname, search } = new URL(path, "https://api.balena-cloud.com");
  return `${pathname}${search}`.replace(/^\/v7/, "");
}
