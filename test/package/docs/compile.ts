// Compiles all examples at once, as a strict project of its own would, against the installed package's types.
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import manifest from "../../../package.json" with { type: "json" };
import type { PlacedExample } from "./project.ts";
import { syntaxErrors } from "./syntax.ts";

const compilerOptions = {
  ...{ noEmit: true, strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
  ...{ module: "nodenext", target: "es2022", types: ["node"], skipLibCheck: false },
  ...{ allowImportingTsExtensions: true, erasableSyntaxOnly: true, allowJs: true, checkJs: true },
  lib: ["es2024", "esnext.disposable", "dom", "dom.iterable", "dom.asynciterable"],
};

/** What the compiler has to say, by the example's name; under `""` what is in none of them. */
export async function compileExamples(
  base: string,
  examples: readonly PlacedExample[],
): Promise<Map<string, string[]>> {
  const files = examples.filter(isCompiled).map(({ path }) => relative(base, path));
  await writeFile(join(base, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const compiling = promisify(execFile)("tsc", ["--pretty", "false", "-p", "."], { cwd: base });
  const { stdout } = await compiling.catch((failure: { stdout: string }) => failure);
  // An error's further lines are indented.
  const errors = stdout.split(/\n(?! )/).filter((text) => text.includes("error TS"));
  const names = new Map(examples.map(({ directory, name }) => [basename(directory), name]));
  const nameIn = (error: string) => names.get(dirname(error.replace(/\(.*/s, ""))) ?? "";
  const found = Map.groupBy(errors.filter(isOurs), nameIn);
  for (const { name, code } of examples.filter((example) => !isCompiled(example))) {
    if (syntaxErrors(code).length > 0) found.set(name, syntaxErrors(code));
  }
  return found;
}

/** One that refers to other files is at home in a tree of its own: no more can be said than that it is a program. */
export function isCompiled({ code }: PlacedExample): boolean {
  return !/ from "\.\.?\//.test(code);
}

/** Types of some dependencies do not compile so strictly; and JavaScript has no types to leave out. */
function isOurs(error: string): boolean {
  const [, dependency = manifest.name] = /^[^(]*\bnode_modules\/((?:@[^/]+\/)?[^/(]+)/.exec(error) ?? [];
  return dependency === manifest.name && !/^[^(]*\.c?js\(.*error TS70\d\d:/.test(error);
}
