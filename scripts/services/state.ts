// Remembers between `services:start` and `services:stop` what was started.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Services } from "./services.ts";

const file = fileURLToPath(new URL("../../node_modules/.cache/services.json", import.meta.url));

/** What was started last; `undefined` where nothing is remembered. */
export function readState(): Services | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Services;
  } catch {
    return undefined;
  }
}

/** Remembers it, for the owner alone: there are keys in it. */
export function writeState(services: Services): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(services, null, 2), { mode: 0o600 });
}

/** Forgets it. */
export function removeState(): void {
  rmSync(file, { force: true });
}
