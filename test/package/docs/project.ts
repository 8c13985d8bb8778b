// Lays the examples out as files of the project that has the package installed, each in a directory of its own.
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Example } from "./examples.ts";
import { freeNames } from "./free-names.ts";
import { placeLongerFiles } from "./longer-files.ts";
import { type PublicName, publicNames } from "./public-symbols.ts";
import { syntaxErrors } from "./syntax.ts";

/** An example with its file, in the directory that it runs in. */
export interface PlacedExample extends Example {
  readonly directory: string;
  readonly path: string;
}

// What `prelude.ts` exports.
const preludeNames = [
  ...["source", "storage", "images", "manager", "handler", "request"],
  ...["Bun", "Deno", "type R2Bucket"],
];

/** Writes all of them under a directory. */
export async function placeExamples(examples: readonly Example[], base: string): Promise<PlacedExample[]> {
  await mkdir(base);
  await writeFile(join(base, "package.json"), JSON.stringify({ private: true, type: "module" }));
  for (const file of ["prelude.ts", "preload.ts", "routes.ts"])
    await copyFile(new URL(file, import.meta.url), join(base, file));
  const [names, known] = [freeNames(examples), publicNames()];
  return Promise.all(
    examples.map((example, index) => place(example, importsOf(names[index] ?? new Set(), known), base)),
  );
}

async function place(example: Example, imports: string, base: string): Promise<PlacedExample> {
  const directory = join(base, example.name.replaceAll(/\W+/g, "-"));
  const path = join(directory, `example.${isCommonJs(example) ? "cjs" : example.language}`);
  await mkdir(directory);
  await writeFile(path, textOf(example, imports));
  await placeLongerFiles(example, directory);
  return { ...example, directory, path };
}

function isCommonJs({ language, code }: Example): boolean {
  return language === "js" && /\brequire\(/.test(code) && !/^import /m.test(code);
}

/** Each line stands where it stands in the documentation, so that errors name its place there. */
function textOf({ line, code, notRun, language }: Example, imports: string): string {
  // What is no program is taken for some properties of an object.
  const isPart = language === "ts" && notRun?.startsWith("fragment") && syntaxErrors(code).length > 0;
  if (!isPart) return `${imports}${"\n".repeat(line)}${code}`;
  const opening = 'import type { Part } from "../prelude.ts"; export default ({';
  return `${imports}${opening}${"\n".repeat(line)}${code}} satisfies Part);\n`;
}

/** On one line, the first, which is free: it is at most the fence's. */
function importsOf(free: ReadonlySet<string>, known: ReadonlyMap<string, PublicName>): string {
  const used = preludeNames.filter((name) => free.has(name.replace("type ", "")));
  const prelude = used.length > 0 ? `import { ${used.join(", ")} } from "../prelude.ts"; ` : "";
  const own = [...free].flatMap((name) => {
    const { specifier, isType } = known.get(name) ?? {};
    return specifier ? `import ${isType ? "type " : ""}{ ${name} } from "${specifier}"; ` : "";
  });
  return prelude + own.join("");
}
