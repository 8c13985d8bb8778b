/** Checks a list of versions that a source or a catalog gives. */
import { isRecord } from "../checks.ts";
import type { OsVersion } from "../types.ts";

/** Whether a value is a list of versions: also asked of what a source returns. Versions that can't be parsed are never chosen. */
export function isVersionList(value: unknown): value is OsVersion[] {
  return Array.isArray(value) && value.every(isVersion);
}

function isVersion(value: unknown): value is OsVersion {
  if (!isRecord(value)) return false;
  const { version, draft, line } = value;
  return typeof version === "string" && typeof draft === "boolean" && (line === "default" || line === "esr");
}
