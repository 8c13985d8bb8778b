/** Selection against the whole truth table, its careful cases, and balena-semver's choice for ranges. */
import { maxSatisfying } from "balena-semver";
import { describe, expect, it } from "vitest";
import { InvalidVersionError, VersionNotFoundError } from "../../../src/core/errors.ts";
import type { OsVersion } from "../../../src/core/types.ts";
import { parseVersion, selectVersion, sortVersions } from "../../../src/core/version/index.ts";
import { createRandom, list, randomVersion } from "./sample.ts";

const defaultLine = list(
  "default",
  "2.60.1+rev1.dev",
  "6.0.10+rev1",
  "6.2.0-beta.1",
  "2.60.1+rev2.prod",
  "6.0.10",
  "2.88.4+rev1",
  "6.1.0",
  "2.60.1+rev1.prod",
);
const esrLine = list("esr", "2023.10.1", "2021.10.2.prod", "2023.1.0");
const both = [...esrLine, ...defaultLine];
const prereleasesAlone = list("default", "7.0.0-1.a", "7.0.0-2");

const select = (versions: readonly OsVersion[], wanted: string) =>
  selectVersion("intel-nuc", versions, wanted).version;

function refusal(versions: readonly OsVersion[], wanted: string): VersionNotFoundError {
  try {
    expect.fail(`${wanted} selected ${select(versions, wanted)}`);
  } catch (error) {
    if (error instanceof VersionNotFoundError) return error;
    throw error;
  }
}

describe("the truth table", () => {
  it.each([
    ["6.0.10", "6.0.10"],
    ["v6.0.10", "6.0.10"],
    ["2.88.4", "2.88.4+rev1"],
    ["2.60.1", "2.60.1+rev2.prod"],
    ["^6.0.0", "6.1.0"],
    ["*", "6.1.0"],
    [">=2.0.0", "6.1.0"],
    ["~2.60.0", "2.60.1+rev2.prod"],
    ["latest", "6.2.0-beta.1"],
    ["recommended", "6.1.0"],
    ["default", "6.1.0"],
    ["2023.1.0", "2023.1.0"],
    ["2023.x", "2023.10.1"],
    ["^2023.1.0", "2023.10.1"],
    ["2021.10.2", "2021.10.2.prod"],
    ["^6.2.0-alpha", "6.2.0-beta.1"],
    [">=6.1.0-0", "6.1.0"],
    ["2.60.1+rev1", "2.60.1+rev1.prod"],
    ["2.60.1+rev1.prod", "2.60.1+rev1.prod"],
    ["v2.60.1+rev1.prod", "2.60.1+rev1.prod"],
    ["2.60.1.dev", "2.60.1+rev1.dev"],
  ])("%s selects %s, in whatever order the versions come", (wanted, version) => {
    expect(select(both, wanted)).toBe(version);
    expect(select(both.toReversed(), wanted)).toBe(version);
  });

  it.each([
    ["2.88.4+rev1.prod", "2.88.4+rev1"],
    ["2.88.4.prod", "2.88.4+rev1"],
    ["6.1.0.prod", "6.1.0"],
    ["6.0.10+prod", "6.0.10+rev1"],
    ["2023.1.0.prod", "2023.1.0"],
  ])("%s selects %s, which is for production and development in one", (wanted, version) => {
    expect(select(both, wanted)).toBe(version);
  });

  it.each(["2.88.4+rev1.dev", "2.88.4+rev2.prod", "6.1.0.dev", "6.1.1.prod", "2.60.1+rev3.prod"])(
    "%s is not there, nor anything that is the same",
    (wanted) => expect(refusal(both, wanted)).toMatchObject({ code: "VERSION_NOT_FOUND" }),
  );

  it.each(["9.9.9", "2.60.1+rev9"])("%s is not found", (wanted) => {
    expect(refusal(both, wanted)).toMatchObject({ code: "VERSION_NOT_FOUND", version: wanted });
  });

  it.each(["", "../../1.2.3", "foo", "LATEST"])("%j is invalid", (wanted) => {
    expect(() => select(both, wanted)).toThrow(InvalidVersionError);
  });

  it("judges pre-releases alone", () => {
    expect(refusal(prereleasesAlone, "recommended")).toMatchObject({ nearest: "7.0.0-2" });
    expect(select(prereleasesAlone, "default")).toBe("7.0.0-2");
    expect(select(prereleasesAlone, "latest")).toBe("7.0.0-2");
  });

  it.each(["latest", "recommended", "default", "*", ">=2.0.0"])(
    "%s reaches an ESR line that is alone",
    (wanted) => {
      expect(select(esrLine, wanted)).toBe("2023.10.1");
    },
  );
});

describe("selectVersion", () => {
  it.each([
    ["v6", "6.1.0"],
    ["6.0.x", "6.0.10+rev1"],
    ["=6.0.10", "6.0.10+rev1"],
    ["^v2.60.0", "2.88.4+rev1"],
    ["~2.60.1+rev1", "2.60.1+rev2.prod"],
    ["2.60.0 - 2.60.9", "2.60.1+rev2.prod"],
    ["^9.0.0 || ~6.0.0", "6.0.10+rev1"],
    ["^6.0.0 || ^2023.1.0", "6.1.0"],
    ["^2023.1.0||^6.0.0", "6.1.0"],
    ["^9.0.0 || ~2023.1.0", "2023.1.0"],
    [">2017", "2023.10.1"],
    [">=2018.0.0-0 <2023.5.0", "2023.1.0"],
    ["^2023.01.0", "2023.10.1"],
    ["6.1.0 - 2023.10.1", "6.1.0"],
  ])("range %s selects %s", (wanted, version) => {
    expect(select(both, wanted)).toBe(version);
  });

  it.each([">=7.0.0", "^9.0.0 || >=8.0.0", ">=2017.0.0"])(
    "never lets %s drift into an ESR line",
    (wanted) => {
      expect(refusal(both, wanted).nearest).toBe("6.2.0-beta.1");
    },
  );

  it("takes revisions as numbers", () => {
    const versions = list(
      "default",
      "2.60.1+rev9.prod",
      "2.60.1+rev10.dev",
      "2.60.1+rev10.prod",
      "2.60.1+rev2.prod",
    );
    expect(select(versions, "2.60.1")).toBe("2.60.1+rev10.prod");
    expect(select(versions, "2.x")).toBe("2.60.1+rev10.prod");
    expect(select(versions, "2.60.1.dev")).toBe("2.60.1+rev10.dev");
    expect(refusal(versions, "2.60.1+rev1").nearest).toBe("2.60.1+rev2.prod");
  });

  it("takes an explicit rev0 at its word", () => {
    expect(select(both, "6.0.10+rev0")).toBe("6.0.10");
    expect(refusal(both, "2.60.1+rev0").nearest).toBe("2.60.1+rev1.dev");
  });

  it("never takes a pre-release for its release, nor the other way round", () => {
    expect(refusal(both, "6.2.0").nearest).toBe("6.2.0-beta.1");
    expect(refusal(both, "6.1.0-rc.1").nearest).toBe("6.1.0");
  });

  it("finds a version however its list spells it, and answers in that spelling", () => {
    const versions = list("esr", "2022.01.0.prod", "v2021.7.1");
    expect(select(versions, "2022.1.0")).toBe("2022.01.0.prod");
    expect(select(versions, "2022.01.0")).toBe("2022.01.0.prod");
    expect(select(versions, "2021.7.1")).toBe("v2021.7.1");
  });

  it("counts 20xx majors as ESR even if the line is not marked, and marked lines whatever their major", () => {
    const versions = [...list("default", "6.1.0", "2023.1.0"), ...list("esr", "7.0.0")];
    expect(select(versions, "latest")).toBe("6.1.0");
    expect(select(versions, "*")).toBe("6.1.0");
    expect(select(versions, "7.0.0")).toBe("7.0.0");
  });

  it("returns the very entry, drafts among them", () => {
    const draft: OsVersion = { version: "6.3.0", line: "default", draft: true };
    expect(selectVersion("intel-nuc", [...both, draft], "latest")).toBe(draft);
  });

  it("ignores entries that can't be parsed", () => {
    const versions = list("default", "9.9.9/..", "foo", "", "6.1.0");
    expect(select(versions, "latest")).toBe("6.1.0");
    expect(refusal(list("default", "foo"), "latest").nearest).toBeUndefined();
    expect(refusal([], "*").nearest).toBeUndefined();
    expect(refusal([], "6.1.0").nearest).toBeUndefined();
  });

  it("does not reorder the list that it is given", () => {
    const versions = Object.freeze([...both]);
    expect(select(versions, "latest")).toBe("6.2.0-beta.1");
    expect(sortVersions(versions)).not.toBe(versions);
  });
});

describe("the nearest version", () => {
  it.each([
    ["9.9.9", "6.2.0-beta.1"],
    ["1.0.0", "2.60.1+rev1.dev"],
    ["2.60.1+rev9", "2.60.1+rev2.prod"],
    ["2.60.1+rev2.dev", "2.60.1+rev2.prod"],
    ["6.0.11", "6.0.10+rev1"],
    ["6.0.5", "6.0.10"],
    ["5.0.0", "6.0.10"],
    ["3.0.0", "2.88.4+rev1"],
    ["2023.9.0", "2023.10.1"],
    ["2018.1.0", "2021.10.2.prod"],
    ["~6.0.11", "6.1.0"],
    ["6.0.11 - 6.0.12", "6.0.10+rev1"],
    [">6.1.0", "6.2.0-beta.1"],
    ["<2.0.0", "2.60.1+rev2.prod"],
    [">=3.0.0 <5.9.0", "6.0.10+rev1"],
    ["^5.0.0", "6.0.10+rev1"],
    [">=3.0.0 <4.0.0", "2.88.4+rev1"],
    ["^9.0.0 || ^2.89.0", "2.88.4+rev1"],
    ["^2024.1.0", "2023.10.1"],
    ["^9.0.0 || ^2024.1.0", "6.2.0-beta.1"],
    [">6.1.0 <6.0.0", "6.1.0"],
    ["<0.0.0-0", "2.60.1+rev2.prod"],
  ])("to %s is %s", (wanted, nearest) => {
    expect(refusal(both, wanted).nearest).toBe(nearest);
  });

  it("is the newer of two that are equally close", () => {
    expect(refusal(list("default", "5.0.0", "7.0.0"), "6.0.0").nearest).toBe("7.0.0");
    expect(refusal(list("default", "4.0.0", "8.0.0"), ">=5.0.0 <=7.0.0").nearest).toBe("8.0.0");
  });

  it("is the closer revision of the same release", () => {
    expect(refusal(list("default", "6.0.0+rev2", "6.0.0+rev9"), "6.0.0+rev4").nearest).toBe("6.0.0+rev2");
    expect(refusal(list("default", "6.0.0+rev2", "6.0.0+rev9"), "6.0.0+rev7").nearest).toBe("6.0.0+rev9");
  });

  it("is the newest pre-release within the bounds, if only those are", () => {
    expect(refusal(prereleasesAlone, "*").nearest).toBe("7.0.0-2");
    expect(refusal(list("default", "5.0.0", "6.0.0-1", "6.0.0-2", "7.0.0"), ">5.0.0 <7.0.0").nearest).toBe(
      "6.0.0-2",
    );
  });

  it("comes from another line only if the one that was meant has none", () => {
    expect(refusal(defaultLine, "2023.1.0").nearest).toBe("6.2.0-beta.1");
    expect(refusal(defaultLine, "^2023.1.0").nearest).toBe("6.2.0-beta.1");
    expect(refusal(esrLine, "6.0.0").nearest).toBe("2021.10.2.prod");
  });
});

describe("sortVersions", () => {
  it("puts the default line before ESR lines, each newest first, and leaves out what can't be parsed", () => {
    expect(sortVersions([...both, ...list("default", "1.2.3/..")]).map(({ version }) => version)).toEqual([
      "6.2.0-beta.1",
      "6.1.0",
      "6.0.10+rev1",
      "6.0.10",
      "2.88.4+rev1",
      "2.60.1+rev2.prod",
      "2.60.1+rev1.prod",
      "2.60.1+rev1.dev",
      "2023.10.1",
      "2023.1.0",
      "2021.10.2.prod",
    ]);
  });

  it("begins with what latest selects", () => {
    for (const versions of [both, defaultLine, esrLine, prereleasesAlone]) {
      expect(sortVersions(versions)[0]?.version).toBe(select(versions, "latest"));
    }
  });
});

describe("balena-semver", () => {
  const ranges = [
    "*",
    "1.x",
    "^1.2.0",
    "~2.10.0",
    ">=2.0.0 <3.0.0",
    ">1.10.1",
    "<2.0.0",
    "<=2.2.1",
    "v2",
    "~v3.0",
  ].concat([
    "1.0.0 - 2.2.0",
    "^1.0.0 || ^2.0.0",
    "^2.0.0-0",
    ">=2.10.0-beta.1",
    "~3.2.1-alpha",
    "=2.2.2",
    "^9.0.0",
    "~2.2.0+rev1",
  ]);

  it.each(ranges)("selects the same for %s in 100 random lists", (range) => {
    const random = createRandom(3);
    for (let round = 0; round < 100; round++) {
      const versions = Array.from({ length: 12 }, () => randomVersion(random));
      const theirs = maxSatisfying(versions, range);
      const ours = theirs === null ? null : select(list("default", ...versions), range);
      if (theirs === null) refusal(list("default", ...versions), range);
      expect(canonical(ours)).toBe(canonical(theirs));
    }
  });
});

const canonical = (version: string | null | undefined) =>
  version ? parseVersion(version)?.canonical : undefined;
