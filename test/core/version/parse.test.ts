/** The version grammar: every form that balenaOS used, and nothing that could do harm in a URL or a key. */
import { describe, expect, it } from "vitest";
import { parseVersion } from "../../../src/core/version/index.ts";

describe("parseVersion", () => {
  it.each([
    ["6.0.10", "6.0.10", [6, 0, 10], [], 0, undefined],
    ["v6.0.10", "6.0.10", [6, 0, 10], [], 0, undefined],
    ["V6.0.10", "6.0.10", [6, 0, 10], [], 0, undefined],
    ["2.60.1+rev1.prod", "2.60.1+rev1.prod", [2, 60, 1], [], 1, "prod"],
    ["2.60.1+prod.rev1", "2.60.1+rev1.prod", [2, 60, 1], [], 1, "prod"],
    ["2.88.4+rev10", "2.88.4+rev10", [2, 88, 4], [], 10, undefined],
    ["2.88.4+rev0", "2.88.4", [2, 88, 4], [], 0, undefined],
    ["2021.10.2.prod", "2021.10.2+prod", [2021, 10, 2], [], 0, "prod"],
    ["2022.01.0.dev", "2022.1.0+dev", [2022, 1, 0], [], 0, "dev"],
    ["v2022.01.0", "2022.1.0", [2022, 1, 0], [], 0, undefined],
    ["2.0.0.rev1", "2.0.0+rev1", [2, 0, 0], [], 1, undefined],
    ["2.0.0.rev1.prod", "2.0.0+rev1.prod", [2, 0, 0], [], 1, "prod"],
    ["2.60.1.dev", "2.60.1+dev", [2, 60, 1], [], 0, "dev"],
    ["2.0.0-beta.1+rev2.dev", "2.0.0-beta.1+rev2.dev", [2, 0, 0], ["beta", 1], 2, "dev"],
    ["2.0.0-rc1.rev1", "2.0.0-rc1.rev1", [2, 0, 0], ["rc1", "rev1"], 0, undefined],
    ["7.0.0-1.a", "7.0.0-1.a", [7, 0, 0], [1, "a"], 0, undefined],
    ["6.1.0-1722345678901", "6.1.0-1722345678901", [6, 1, 0], [1722345678901], 0, undefined],
    ["1.2.3+build.5", "1.2.3+build.5", [1, 2, 3], [], 0, undefined],
    ["1.2.3+5.rev2", "1.2.3+rev2.5", [1, 2, 3], [], 2, undefined],
  ] as const)("reads %s as %s", (raw, canonical, numbers, prerelease, rev, variant) => {
    const parsed = parseVersion(raw);
    expect(parsed).toMatchObject({ canonical, prerelease, rev, variant });
    expect([parsed?.major, parsed?.minor, parsed?.patch]).toEqual(numbers);
  });

  it("reads its own canonical spelling as the same version", () => {
    for (const raw of ["2021.10.2.prod", "2022.01.0", "2.0.0.rev1.dev", "v7.0.0-1.a", "1.2.3+5.rev2"]) {
      const canonical = parseVersion(raw)?.canonical ?? "";
      expect(parseVersion(canonical)?.canonical).toBe(canonical);
    }
  });

  it.each([
    "",
    " ",
    "v",
    "foo",
    "latest",
    "6",
    "6.0",
    "6.0.x",
    "^6.0.0",
    "=6.0.0",
    "vv6.0.0",
    "v 6.0.0",
    " 6.0.0",
    "6.0.0 ",
    "6.0.0\n",
    "6.0.0\u00a0",
    "6.0. 0",
    "06.0.0",
    "6.01.0",
    "2022.001.0",
    "2022.012.0",
    "6.0.0.0",
    "6.0.0.foo",
    "6.0.0.rev",
    "6.0.0.rev1-x",
    "6.0.0.rev1.foo",
    "6.0.0+",
    "6.0.0-",
    "6.0.0-a..b",
    "6.0.0+a+b",
    "-1.0.0",
    "../../1.2.3",
    "1.2.3/../..",
    "1.2.3-../x",
    "1.2.3%2f..",
    "1.2.3?x=1",
    "1.2.3#x",
    "1.2.3&deviceType=x",
    "1.2.3:x",
    "1.2.3\\x",
    "1.2.3$",
    "1.2.3\0",
    "1.2.3\r\nHost: x",
    "1.2.3-\u202e",
    "\uff11.2.3",
    "1.2.3_dev",
    "balenaOS 2.0.0",
    "99999999999999999999.0.0",
    "__proto__",
  ])("refuses %j", (raw) => {
    expect(parseVersion(raw)).toBeUndefined();
  });

  it("takes 128 characters and no more", () => {
    const longest = `1.2.3-${"a".repeat(122)}`;
    expect(parseVersion(longest)?.canonical).toBe(longest);
    expect(parseVersion(`${longest}a`)).toBeUndefined();
  });

  it("ignores what is no string, as an upstream's list may hold", () => {
    for (const raw of [null, undefined, 6, {}, ["1.2.3"]]) {
      expect(parseVersion(raw as unknown as string)).toBeUndefined();
    }
  });
});
