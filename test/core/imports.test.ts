/** The core's one boundary: it imports nothing but itself, semver, and types of unstorage. */
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";

const core = fileURLToPath(new URL("../../src/core", import.meta.url));

interface Import {
  readonly file: string;
  readonly from: string;
  readonly isTypeOnly: boolean;
}

/** Every way in which TypeScript names another module; comments and strings are no such way. */
function importsOf(file: string, text: string): Import[] {
  const found: Import[] = [];
  const add = (from: ts.Node | undefined, isTypeOnly: boolean) => {
    const name = from && ts.isStringLiteralLike(from) ? from.text : "(computed)";
    found.push({ file, from: name, isTypeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node))
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node))
      add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true);
    else if (ts.isCallExpression(node) && isImportCall(node)) add(node.arguments[0], false);
    else if (ts.isExternalModuleReference(node)) add(node.expression, false);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return found;
}

function isImportCall({ expression }: ts.CallExpression): boolean {
  if (expression.kind === ts.SyntaxKind.ImportKeyword) return true;
  return ts.isIdentifier(expression) && expression.text === "require";
}

function isAllowed({ file, from, isTypeOnly }: Import): boolean {
  if (from === "unstorage") return isTypeOnly;
  if (from.startsWith("semver/")) return true;
  if (!from.startsWith("./") && !from.startsWith("../")) return false;
  return !relative(core, join(dirname(file), from)).startsWith("..");
}

async function coreFiles(): Promise<string[]> {
  const names = await readdir(core, { recursive: true });
  return names.filter((name) => /\.[cm]?[jt]sx?$/.test(name)).map((name) => join(core, name));
}

describe("src/core", () => {
  test("imports its own files, semver/... and types of unstorage, and nothing else", async () => {
    const files = await coreFiles();
    expect(files.length).toBeGreaterThan(30);
    expect(files.some((file) => relative(core, file).includes(sep))).toBe(true);
    const imports = await Promise.all(
      files.map(async (file) => importsOf(file, await readFile(file, "utf8"))),
    );
    expect(imports.flat().length).toBeGreaterThan(files.length);
    expect(imports.flat().filter((found) => !isAllowed(found))).toEqual([]);
  });

  test.each([
    'import { readFile } from "node:fs/promises";',
    'import "fs";',
    'export * from "balena-sdk";',
    'const sdk = await import("balena-sdk");',
    "const sdk = await import(name);",
    'const fs = require("node:fs");',
    'import fs = require("node:fs");',
    'type Stats = import("node:fs").Stats;',
    'import { createStorage } from "unstorage";',
    'import { type Driver } from "unstorage";',
    'import memory from "unstorage/drivers/memory";',
    'import { memoryAdapter } from "../adapters/memory/index.ts";',
    'import semver from "semver";',
  ])("the check sees %s", (line) => {
    expect(importsOf(join(core, "a.ts"), line).filter((found) => !isAllowed(found))).toHaveLength(1);
  });

  test.each([
    'import type { Driver } from "unstorage";',
    'import valid from "semver/functions/valid";',
    'import { get } from "./operations/get.ts";',
    '// import "node:fs"',
  ])("the check allows %s", (line) => {
    expect(importsOf(join(core, "a.ts"), line).filter((found) => !isAllowed(found))).toEqual([]);
  });
});
