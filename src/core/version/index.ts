/** The functions of the version module that the rest of the core uses. */
export { compareVersions } from "./compare.ts";
export { type ParsedVersion, parseVersion } from "./parse.ts";
export { selectVersion } from "./select.ts";
export { sortVersions } from "./sort.ts";
export { assertVersionOrRange, isEsrVersion, isExactVersion } from "./wanted.ts";
