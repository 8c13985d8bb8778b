// What balena's own OData parser says to a query: the API refuses what it refuses.
import odata from "@balena/odata-parser"; // CommonJS whose names Node can't see

/** The API's complaint about a path below `/v7` that the parser can't read; `undefined` for a sound one. */
export function malformed(path: string): string | undefined {
  try {
    odata.parse(path);
    return undefined;
  } catch {
    return `Malformed url: ${path}`;
  }
}
