// What balena's own OData parser says to a query: the API refuses what it refuses.
import { parse } from "@balena/odata-parser";

/** The API's complaint about a path below `/v7` that the parser can't read; `undefined` for a sound one. */
export function malformed(path: string): string | undefined {
  try {
    parse(path);
    return undefined;
  } catch {
    return `Malformed url: ${path}`;
  }
}
