/** What the core may import: nothing from outside but semver; and inside, each room only those below it. */
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";

const source = fileURLToPath(new URL("../../src", import.meta.url));
const core = join(source, "core");

interface Import {
  readonly file: string;
  readonly from: string;
}

/** Every way in which TypeScript names another module; comments and strings are no such way. */
function importsOf(file: string, text: string): Import[] {
  const found: Import[] = [];
  const add = (from: ts.Node | undefined) => {
    found.push({ file, from: from && ts.isStringLiteralLike(from) ? from.text : "(computed)" });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier);
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier) add(node.moduleSpecifier);
    else if (ts.isImportTypeNode(node))
      add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined);
    else if (ts.isCallExpression(node) && isImportCall(node)) add(node.arguments[0]);
    else if (ts.isExternalModuleReference(node)) add(node.expression);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return found;
}

function isImportCall({ expression }: ts.CallExpression): boolean {
  if (expression.kind === ts.SyntaxKind.ImportKeyword) return true;
  return ts.isIdentifier(expression) && expression.text === "require";
}

function isAllowed({ file, from }: Import): boolean {
  if (from.startsWith("semver/")) return true;
  if (!from.startsWith("./") && !from.startsWith("../")) return false;
  return !relative(core, join(dirname(file), from)).startsWith("..");
}

async function coreFiles(): Promise<string[]> {
  const names = await readdir(core, { recursive: true });
  return names.filter((name) => /\.[cm]?[jt]sx?$/.test(name)).map((name) => join(core, name));
}

describe("src/core", () => {
  test("imports its own files, semver/... and nothing else", async () => {
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
    'import type { Driver } from "unstorage";',
    'import memory from "unstorage/drivers/memory";',
    'import { memoryAdapter } from "../adapters/memory/index.ts";',
    'import semver from "semver";',
  ])("the check sees %s", (line) => {
    expect(importsOf(join(core, "a.ts"), line).filter((found) => !isAllowed(found))).toHaveLength(1);
  });

  test.each([
    'import valid from "semver/functions/valid";',
    'import { get } from "./operations/get.ts";',
    '// import "node:fs"',
  ])("the check allows %s", (line) => {
    expect(importsOf(join(core, "a.ts"), line).filter((found) => !isAllowed(found))).toEqual([]);
  });
});

/** The rooms of the core, from the top down: docs/architecture.md has the same list. */
const rooms = [
  "manager.ts",
  "options.ts",
  "operations",
  "delivery",
  "lookup",
  "transfer",
  "sharing",
  "retention",
  "upstream",
  "store-fault.ts",
  "context.ts",
  "store",
  "memory",
  "freshness",
  "manager-internals.ts",
  "identity.ts",
  "version",
];
/** Beside that order: the public entry, and the HTTP handler, which sees a manager from outside. */
const above = ["index.ts", "http"];
/** The parts of types.ts, under all rooms as that file is. */
const below = ["types"];

const roomOf = (path: string) => relative(core, path).split(sep)[0] as string;
/** Files of the core's root that are no room are below all of them. */
const heightOf = (room: string) => (rooms.includes(room) ? rooms.length - rooms.indexOf(room) : 0);

test("no file of src is longer than 250 lines", async () => {
  const names = (await readdir(source, { recursive: true })).filter((name) => name.endsWith(".ts"));
  const lengths = await Promise.all(
    names.map(async (name) => (await readFile(join(source, name), "utf8")).split("\n").length - 1),
  );
  expect(names.length).toBeGreaterThan(200);
  expect(names.filter((_, index) => lengths[index]! > 250)).toEqual([]);
});

/** Imports within the core, types included, as paths. */
async function innerImports(): Promise<{ file: string; to: string }[]> {
  const files = await coreFiles();
  const imports = await Promise.all(files.map(async (file) => importsOf(file, await readFile(file, "utf8"))));
  return imports
    .flat()
    .flatMap(({ file, from }) => (from.startsWith(".") ? [{ file, to: join(dirname(file), from) }] : []));
}

describe("the rooms of src/core", () => {
  test("import only what is below them; context.ts alone names types of what is above", async () => {
    const upward = (await innerImports()).filter(({ file, to }) => {
      const [from, into] = [roomOf(file), roomOf(to)];
      if (from === into || above.includes(from) || from === "context.ts") return false;
      return above.includes(into) || heightOf(into) >= heightOf(from) + (heightOf(from) === 0 ? 1 : 0);
    });
    expect(upward.map(({ file, to }) => `${relative(core, file)} -> ${relative(core, to)}`)).toEqual([]);
  });

  test("are all in the list", async () => {
    const names = await readdir(core, { withFileTypes: true });
    const folders = names.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    expect(folders.filter((name) => ![...rooms, ...above, ...below].includes(name))).toEqual([]);
    expect(rooms.filter((name) => !names.some((entry) => entry.name === name))).toEqual([]);
  });

  test("have no circle of files, types counted", async () => {
    const targets = new Map<string, string[]>();
    for (const { file, to } of await innerImports())
      if (roomOf(file) !== "context.ts") targets.set(file, [...(targets.get(file) ?? []), to]);
    expect(circleIn(targets)).toBeUndefined();
  });
});

describe("src/cli", () => {
  const cli = fileURLToPath(new URL("../../src/cli", import.meta.url));
  const filesIn = async (directory: string) =>
    (await readdir(directory, { recursive: true }))
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(directory, name));
  const importsIn = async (directory: string) => {
    const files = await filesIn(directory);
    return (
      await Promise.all(files.map(async (file) => importsOf(file, await readFile(file, "utf8"))))
    ).flat();
  };

  test("imports what is exported, Node, the progress bar and its own files", async () => {
    const surface = /^\.\.\/(core\/index|core\/http\/index|adapters\/[\w-]+\/index)\.ts$/;
    const isFine = ({ from }: Import) =>
      surface.test(from) || /^(\.\/[\w-]+\.ts|node:[\w/]+|cli-progress)$/.test(from);
    const imports = await importsIn(cli);
    expect(imports.length).toBeGreaterThan(20);
    expect(imports.filter((found) => !isFine(found))).toEqual([]);
  });

  test("is imported by nobody, and stays a thin shell", async () => {
    const others = await importsIn(fileURLToPath(new URL("../../src", import.meta.url)));
    const inside = others.filter(
      ({ file, from }) => from.startsWith(".") && join(dirname(file), from).startsWith(cli),
    );
    expect(inside.filter(({ file }) => !file.startsWith(cli))).toEqual([]);
    const texts = await Promise.all((await filesIn(cli)).map((file) => readFile(file, "utf8")));
    expect(texts.join("").split("\n").length - 1).toBeLessThanOrEqual(400);
  });
});

/** The first circle that is found, as names. */
function circleIn(targets: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file))
      return [...path.slice(path.indexOf(file)), file].map((name) => relative(core, name));
    if (done.has(file)) return undefined;
    for (const target of targets.get(file) ?? []) {
      const circle = visit(target, [...path, file]);
      if (circle) return circle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of targets.keys()) {
    const circle = visit(file, []);
    if (circle) return circle;
  }
  return undefined;
}
