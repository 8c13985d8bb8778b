// Looks for planted secrets in everything that stays or is told: keys and values of the store, events, errors.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import { marker } from "./plan.ts";

/** What is looked for, and where. */
export interface SecretSearch {
  /** Directory of the store. */
  readonly base: string;
  readonly told: readonly unknown[];
  readonly token: string;
  /** Keys that the API has made. */
  readonly apiKeys: ReadonlySet<string>;
}

/** Where a secret was found; nothing is the right answer. Also says how much was searched. */
export async function searchSecrets({ base, told, token, apiKeys }: SecretSearch) {
  const found: string[] = [];
  let [files, bytes] = [0, 0];
  const look = (place: string, text: string) => {
    const keys = text.match(/[0-9a-f]{32}/g) ?? [];
    if (text.includes(marker) || text.includes(token) || keys.some((key) => apiKeys.has(key)))
      found.push(place);
  };
  for (const entry of await readdir(base, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const content = await readFile(path);
    look(path, `${path}\n${content.toString("latin1")}`);
    files += 1;
    bytes += content.length;
  }
  const texts = told.map((one) => inspect(one, { depth: 12, showHidden: true, maxStringLength: null }));
  look("events and errors", texts.join("\n"));
  return { found, files, bytes, told: told.length };
}
