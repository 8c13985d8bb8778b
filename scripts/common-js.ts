// Makes the CommonJS of the built ES modules: each `.js` of dist/ gets a `.cjs`, each `.d.ts` a `.d.cts`. It is the second half of `npm run build`.
// tsup's own CommonJS goes through sucrase, which rewrites every class with a field: `StoreError` would be called `_class11`.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const names = await readdir(dist, { recursive: true });
await Promise.all(names.map(convert));

async function convert(name: string): Promise<void> {
  const text = async () => withCommonJsNames(await readFile(join(dist, name), "utf8"));
  if (name.endsWith(".js")) await write(name.replace(/\.js$/, ".cjs"), await commonJsOf(await text()));
  if (name.endsWith(".d.ts")) await write(name.replace(/\.d\.ts$/, ".d.cts"), await text());
}

/** Modules of the package name each other by their relative path. */
function withCommonJsNames(text: string): string {
  return text.replaceAll(/(\b(?:from|import)\s*\(?["']\.[^"']*)\.js(["'])/g, "$1.cjs$2");
}

async function commonJsOf(text: string): Promise<string> {
  const { code } = await transform(text, { format: "cjs", platform: "node", target: "es2022" });
  return code;
}

function write(name: string, text: string): Promise<void> {
  return writeFile(join(dist, name), text);
}
