// Finds every code example that the project shows its users: fenced blocks of its pages and `@example`s of its public symbols.
import { glob, readFile } from "node:fs/promises";
import { type Block, fencedBlocks } from "./fenced-blocks.ts";
import { publicExamples } from "./public-symbols.ts";

/** An example, as it stands there. */
export interface Example {
  /** File and line, such as `docs/serving.md:93`. */
  readonly name: string;
  /** Line of the fence, counted from 1. */
  readonly line: number;
  readonly language: "ts" | "js";
  readonly code: string;
  readonly runtime: "node" | "bun" | "deno" | "worker";
  /** Why it is compiled and not run. */
  readonly notRun?: string | undefined;
}

/** All of them, in the order of their names. The pages are all there are, so that a new one can't be forgotten. */
export async function findExamples(): Promise<Example[]> {
  const examples = publicExamples().map(({ file, ...block }) => exampleOf(file, block));
  // The API reference only repeats what the sources say.
  for await (const file of glob(["*.md", "docs/**/*.md"], { exclude: ["docs/api/**"] })) {
    const blocks = fencedBlocks(await readFile(file, "utf8"));
    examples.push(...blocks.map((block) => exampleOf(file, block)));
  }
  return examples.flatMap((example) => example ?? []).sort(byPlace);
}

function byPlace(a: Example, b: Example): number {
  return fileOf(a).localeCompare(fileOf(b)) || a.line - b.line;
}

const fileOf = ({ name }: Example) => name.replace(/:\d+$/, "");

/** `undefined` for what is no TypeScript or JavaScript. The info string reads `ts`, `ts RUNTIME`, `ts fragment: REASON` or `js recipe: FILE`. */
function exampleOf(file: string, { line, info, code }: Block): Example | undefined {
  const [, language, word = "", rest = ""] = /^(ts|js)\b\s*(\w*):?\s*(.*)$/.exec(info) ?? [];
  const name = `${file}:${line}`;
  // Under another name it would go unseen.
  if (/^(typescript|javascript|[cm][tj]s|[tj]sx)\b/.test(info)) throw new Error(`${name}: say ts or js`);
  if (language !== "ts" && language !== "js") return undefined;
  if (word === "recipe") return undefined; // needs a framework, and is run by recipes.test.ts
  const notRun = word === "fragment" ? `fragment: ${rest || noReason}` : needOf(code);
  return { name, line, language, code, runtime: runtimeOf(name, word, code), notRun };
}

/** What a fragment without a reason is listed with. */
export const noReason = "NO REASON GIVEN";

function needOf(code: string): string | undefined {
  if (/\bredisAdapter\(/.test(code)) return "needs a Redis server";
  return /\bazureBlobAdapter\(/.test(code) ? "needs Azure Blob Storage" : undefined;
}

/** Said by the fence, else told by what only one runtime has. */
function runtimeOf(name: string, word: string, code: string): Example["runtime"] {
  if (word === "node" || word === "bun" || word === "deno" || word === "worker") return word;
  if (word !== "" && word !== "fragment")
    throw new Error(`${name}: "${word}" is no runtime, and no fragment`);
  const statements = code.replaceAll(/\/\/.*$/gm, "");
  if (/\bBun\./.test(statements)) return "bun";
  if (/\bDeno\./.test(statements)) return "deno";
  return /^export default /m.test(statements) ? "worker" : "node";
}
