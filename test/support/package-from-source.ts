// For `node --import`: the package's own name leads to the sources, as in tsconfig.json, so that examples run without a build.
import { registerHooks } from "node:module";

const places: Readonly<Record<string, string>> = {
  "": "core",
  "/http": "core/http",
  "/adapters": "adapters",
};

registerHooks({
  resolve(specifier, context, nextResolve) {
    const [, path] = /^balena-image-manager(\/.*)?$/.exec(specifier) ?? [];
    if (!specifier.startsWith("balena-image-manager")) return nextResolve(specifier, context);
    const place = places[path ?? ""] ?? `adapters${path?.replace(/^\/adapters/, "")}`;
    return nextResolve(new URL(`../../src/${place}/index.ts`, import.meta.url).href, context);
  },
});
