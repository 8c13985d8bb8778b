/** What may be asked for, hostile input included: refused before any request, quickly and in printable words. */
import { describe, expect, it } from "vitest";
import { InvalidVersionError } from "../../../src/core/errors.ts";
import { assertVersionOrRange, isEsrVersion, isExactVersion } from "../../../src/core/version/index.ts";

function refusal(wanted: unknown): InvalidVersionError {
  try {
    assertVersionOrRange(wanted);
  } catch (error) {
    if (error instanceof InvalidVersionError) return error;
    throw error;
  }
  return expect.fail(`${String(wanted)} passed`);
}

describe("assertVersionOrRange", () => {
  it.each([
    "latest",
    "recommended",
    "default",
    "6.0.10",
    "v2.60.1+rev1.prod",
    "2021.10.2.prod",
    "2022.01.0",
    "*",
    "x",
    "6",
    "6.x",
    "v6.0",
    "^6.0.0",
    "~2.60.1+rev1",
    ">= 6.0.0 < 7",
    "1.0.0 - 2.0.0",
    "^6.0.0 || ^2023.1.0",
    "^2022.01.0",
  ])("takes %s", (wanted) => {
    expect(() => assertVersionOrRange(wanted)).not.toThrow();
  });

  it.each([
    "",
    " ",
    "foo",
    "LATEST",
    "Latest",
    "latest ",
    " ^6.0.0",
    "^6.0.0\n",
    "^6.0.0\t||\t^7.0.0",
    "6.0.10\u00a0",
    "||",
    "^6.0.0 ||",
    "|| ^6.0.0",
    "^6.0.0 | ^7.0.0",
    ">",
    "^",
    "^V6.0.0",
    "~2.60.1.dev",
    "1.2.3.4",
    "latest || ^6.0.0",
    "../../1.2.3",
    "6.0.0/..",
    "6.0.0?x=y",
    "constructor",
    "__proto__",
    "toString",
    "hasOwnProperty",
  ])("refuses %j", (wanted) => {
    expect(refusal(wanted)).toMatchObject({ code: "INVALID_VERSION" });
  });

  it.each([null, undefined, 6, 6n, true, Symbol("6.0.0"), {}, ["6.0.0"], new String("6.0.0"), () => "6.0.0"])(
    "refuses a value that is no string",
    (wanted) => {
      expect(refusal(wanted).message).toContain(`of type ${typeof wanted}`);
    },
  );

  it("asks nothing of a hostile object", () => {
    const hostile = {
      toString: () => expect.fail("asked for its text"),
      toJSON: () => expect.fail("asked for JSON"),
    };
    expect(refusal(hostile).version).toBe("of type object");
  });

  it("says what it was given and what would be right", () => {
    const { message, version } = refusal("foo");
    expect(version).toBe("foo");
    expect(message).toContain('"foo"');
    for (const right of ["6.0.10+rev1", "^6.0.0", "latest", "recommended", "default"])
      expect(message).toContain(right);
  });

  it("quotes neither long nor unprintable text whole", () => {
    const { message } = refusal(`6.0.0\r\nlevel=info \u202e\u001b[31m${"x".repeat(1_000_000)}`);
    expect(message).toMatch(/^[ -~]{0,300}$/);
  });

  it("takes 256 characters and no more", () => {
    const longest = `^6.0.0${" ".repeat(244)}^6.0.0`;
    expect(longest).toHaveLength(256);
    expect(() => assertVersionOrRange(longest)).not.toThrow();
    refusal(longest.replace(" ", "  "));
  });

  it("is quick on input made to be slow", () => {
    const unit = [
      " ",
      "1",
      ".",
      "-",
      "x||",
      ">=0 ",
      "1.0.0 - ",
      "~>",
      "0.0.0-0",
      "-a.",
      "1-1+",
      "2020.0",
      "v",
      ".rev1",
    ];
    const start = performance.now();
    for (const text of unit) {
      for (const tail of ["", "!", " ", "1.0.0", "||x"]) {
        for (const length of [128, 256, 200_000]) judge((text.repeat(length) + tail).slice(-length));
      }
    }
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});

describe("isExactVersion", () => {
  it.each(["6.0.10", "v6.0.10", "2.60.1+rev1.prod", "2.60.1.dev", "7.0.0-1.a"])("%s is one", (wanted) => {
    expect(isExactVersion(wanted)).toBe(true);
  });

  it.each(["latest", "6", "6.0", "6.0.x", "^6.0.10", "=6.0.10", "*", "", "foo"])("%j is none", (wanted) => {
    expect(isExactVersion(wanted)).toBe(false);
  });
});

describe("isEsrVersion", () => {
  it.each(["2018.0.0", "2021.10.2.prod", "v2022.01.0", "2023.10.1+rev1"])(
    "%s is of an ESR line",
    (version) => {
      expect(isEsrVersion(version)).toBe(true);
    },
  );

  it.each(["2017.12.9", "6.1.0", "2.2021.0", "2023.x", "latest", ""])("%j is not", (version) => {
    expect(isEsrVersion(version)).toBe(false);
  });
});

function judge(wanted: string): void {
  try {
    assertVersionOrRange(wanted);
  } catch (error) {
    if (!(error instanceof InvalidVersionError)) throw error;
  }
}
