// Compiles what runs in a process that is measured: users run JavaScript, and Node's compiler, which TypeScript files load, would lie on
// the heap that every garbage collection goes through.
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const made = new Map<string, Promise<string>>();

/** Path of the JavaScript of a script beside this one. */
export function compiled(script: string): Promise<string> {
  const existing = made.get(script);
  if (existing) return existing;
  const path = compile(script);
  made.set(script, path);
  return path;
}

/** Not to a temporary directory: packages are found from where the file lies. */
async function compile(script: string): Promise<string> {
  const [entry, outfile] = [script, `./compiled/${basename(script, ".ts")}.mjs`].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  ) as [string, string];
  await build({
    ...{ entryPoints: [entry], outfile, bundle: true, packages: "external", logLevel: "error" },
    ...{ format: "esm", platform: "node", target: "node24" },
  });
  return outfile;
}
