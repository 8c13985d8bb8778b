// The second half of `npm run build`. It makes the CommonJS of the built ES modules: each `.js` of dist/ gets a `.cjs`, each `.d.ts` a `.d.cts`.
// And it lets the types name the part of TypeScript's library that they need.
// tsup's own CommonJS goes through sucrase, which rewrites every class with a field: `StoreError` would be called `_class11`.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const names = await readdir(dist, { recursive: true });
await Promise.all(names.map(convert));

async function convert(name: string): Promise<void> {
  const isTypes = name.endsWith(".d.ts");
  if (!isTypes && !name.endsWith(".js")) return;
  const built = await readFile(join(dist, name), "utf8");
  const text = isTypes ? withLibrary(built) : built;
  if (text !== built) await writeFile(join(dist, name), text);
  const renamed = withCommonJsNames(text);
  const commonJs = isTypes ? renamed : await commonJsOf(renamed);
  await writeFile(join(dist, name.replace(/\.(d\.ts|js)$/, isTypes ? ".d.cts" : ".cjs")), commonJs);
}

/** `Symbol.asyncDispose` is in none of TypeScript's libraries by year: a project that has ES2022 alone would not compile. */
function withLibrary(types: string): string {
  const needs = /\bSymbol\.asyncDispose\b|\bAsyncDisposable\b/.test(types);
  return needs ? `/// <reference lib="esnext.disposable" />\n${types}` : types;
}

/** Modules of the package name each other by their relative path. */
function withCommonJsNames(text: string): string {
  return text.replaceAll(/(\b(?:from|import)\s*\(?["']\.[^"']*)\.js(["'])/g, "$1.cjs$2");
}

async function commonJsOf(text: string): Promise<string> {
  // Minified: the ES modules are there to be read, and a package with both of them readable would be a fifth larger.
  const { code } = await transform(text, {
    ...{ format: "cjs", platform: "node", target: "es2022" },
    minify: true,
  });
  return code;
}
