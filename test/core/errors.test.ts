// What errors are called and what they are instances of, also where a bundler has shortened the classes, and across copies of the library.
import { build } from "esbuild";
import { describe, expect, test } from "vitest";
import * as errors from "../../src/core/errors.ts";

type Errors = typeof errors;
type ErrorClass = new (...args: unknown[]) => errors.ImageManagerError;

/** The same module once more, minified as a bundler would. */
async function minifiedCopy(): Promise<Errors> {
  const { outputFiles } = await build({
    ...{ entryPoints: [new URL("../../src/core/errors.ts", import.meta.url).pathname], write: false },
    ...{ bundle: true, minify: true, format: "esm", target: "es2022" },
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0]!.contents).toString("base64")}`);
}

const copy = await minifiedCopy();
const names = Object.keys(errors).filter(
  (name) => /^[A-Z]\w+Error$/.test(name) && name !== "ImageManagerError",
);
const classOf = (of: Errors, name: string) => (of as unknown as Record<string, ErrorClass>)[name]!;

test("the copy has other classes", () => {
  expect(names).toHaveLength(14);
  for (const name of names) expect(classOf(copy, name)).not.toBe(classOf(errors, name));
});

describe.each([
  ["the sources", errors],
  ["a minified bundle", copy],
])("in %s", (_, own) => {
  test.each(names)("%s has its name, and its code belongs to it alone", (name) => {
    const error = new (classOf(own, name))("a", "b");
    expect(error.name).toBe(name);
    expect(error.constructor.name).toBe(name);
    expect(error.stack).toMatch(new RegExp(`^${name}: `));
    expect(Object.keys(error)).not.toContain("name");
    const code = name
      .replace(/Error$/, "")
      .replace(/(?<=[a-z])(?=[A-Z])/g, "_")
      .toUpperCase();
    expect(error.code).toBe(code);
  });

  test.each(names)("%s is an instance of its class in either copy, and of no other class", (name) => {
    const error = new (classOf(own, name))("a", "b");
    for (const of of [errors, copy] as Errors[]) {
      expect(error).toBeInstanceOf(of.ImageManagerError);
      expect(names.filter((other) => error instanceof classOf(of, other))).toEqual([name]);
    }
    expect(error).toBeInstanceOf(Error);
  });

  test("what only looks like an error of ours is none", () => {
    const fake = Object.assign(new Error("fake"), { name: "StoreError", code: "STORE" });
    for (const value of [fake, null, undefined, "StoreError", {}, new TypeError("a")]) {
      expect(value instanceof own.StoreError).toBe(false);
      expect(value instanceof own.ImageManagerError).toBe(false);
    }
  });

  test("a class derived from one of ours has only its own errors", () => {
    class Full extends own.StoreError {}
    const full = new Full("full");
    expect(full).toBeInstanceOf(Full);
    expect(full).toBeInstanceOf(errors.StoreError);
    expect(full).toBeInstanceOf(copy.StoreError);
    expect(new own.StoreError("a") instanceof Full).toBe(false);
    expect(full.name).toBe("StoreError");
    full.name = "Full";
    expect(full.name).toBe("Full");
  });
});
