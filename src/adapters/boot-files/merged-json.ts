/** Merges an object into a JSON file, key by key. */
import { EditError, InvalidArgumentError } from "../../core/errors.ts";

/** The bytes of the new file. Without an old one: the object alone. */
export function mergedJson(
  path: string,
  old: Uint8Array | undefined,
  changes: Readonly<Record<string, unknown>>,
): Uint8Array {
  return new TextEncoder().encode(mergedTextOf(path, { ...parsed(path, old), ...changes }));
}

function parsed(path: string, old: Uint8Array | undefined): Record<string, unknown> {
  if (!old || old.length === 0) return {};
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(old));
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // The parser's error quotes the file, which may hold secrets.
  }
  throw new EditError("damaged", `The image's ${path} is not a JSON object: pass a text to replace the file`);
}

function mergedTextOf(path: string, value: Record<string, unknown>): string {
  try {
    return JSON.stringify(value);
  } catch {
    throw new InvalidArgumentError(`The object for ${path} can't be written as JSON (a circle or a bigint)`);
  }
}
