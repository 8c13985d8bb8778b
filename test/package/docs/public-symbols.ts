// What the package exports, read from its sources: the names, and the `@example`s in their documentation.
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import manifest from "../../../package.json" with { type: "json" };
import tsup from "../../../tsup.config.ts";
import { type Block, fencedBlocks } from "./fenced-blocks.ts";

/** How a public name is imported. */
export interface PublicName {
  readonly specifier: string;
  readonly isType: boolean;
}

const entries = Object.entries((tsup as { entry: Record<string, string> }).entry);
const program = ts.createProgram(
  entries.map(([, source]) => source),
  { noLib: true, types: [] },
  onlyRelativeImports(ts.createCompilerHost({})),
);
const checker = program.getTypeChecker();

/** Every exported name; where two subpaths export one, the first counts. */
export function publicNames(): Map<string, PublicName> {
  const names = new Map<string, PublicName>();
  for (const { symbol, specifier } of publicSymbols()) {
    const isType = (symbol.flags & ts.SymbolFlags.Value) === 0;
    if (!names.has(symbol.name)) names.set(symbol.name, { specifier, isType });
  }
  return names;
}

/** The blocks of every `@example` of an exported symbol or of a member of one. */
export function publicExamples(): (Block & { readonly file: string })[] {
  const declarations = publicSymbols().flatMap(({ symbol }) => symbol.declarations ?? []);
  // A node can have the tags of the one that it is in.
  return [...new Set(declarations.flatMap(exampleTags))].flatMap(blocksOf);
}

function publicSymbols(): { symbol: ts.Symbol; specifier: string }[] {
  return entries.flatMap(([name, source]) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(source)!)!;
    const specifier = name === "index" ? manifest.name : `${manifest.name}/${name}`;
    return checker.getExportsOfModule(module).map((symbol) => ({ symbol: resolved(symbol), specifier }));
  });
}

function resolved(symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

/** The node's own and those of all that is in it, such as the methods of an interface. */
function exampleTags(node: ts.Node): ts.JSDocTag[] {
  const tags = ts.getJSDocTags(node).filter((tag) => tag.tagName.text === "example");
  ts.forEachChild(node, (child) => void tags.push(...exampleTags(child)));
  return tags;
}

function blocksOf(tag: ts.JSDocTag): (Block & { readonly file: string })[] {
  const source = tag.getSourceFile();
  const start = tag.getStart();
  const text = source.text.slice(start, tag.end).replaceAll(/^ *\*(?: |$)/gm, "");
  const { line } = source.getLineAndCharacterOfPosition(start);
  const blocks = fencedBlocks(text);
  if (blocks.length === 0)
    throw new Error(`${source.fileName}:${line + 1}: an @example without a fenced block`);
  const file = relative(process.cwd(), source.fileName);
  return blocks.map((block) => ({ ...block, line: line + block.line, file }));
}

/** What the dependencies export is none of ours, and takes seconds to read. */
function onlyRelativeImports(host: ts.CompilerHost): ts.CompilerHost {
  return {
    ...host,
    resolveModuleNameLiterals: (literals, importer) =>
      literals.map(({ text }) => {
        if (!text.startsWith(".")) return { resolvedModule: undefined };
        return { resolvedModule: { resolvedFileName: join(dirname(importer), text), extension: ".ts" } };
      }),
  };
}
