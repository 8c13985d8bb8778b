// Just enough of OData, as the balena API speaks it: query options, nested expands, and filters of `field eq value` terms.

/** Options of a query or of one `$expand`, such as `$select`. */
export type PineOptions = ReadonlyMap<string, string>;

/** A filter that this API does not understand; answered with 400, so that no test passes on an ignored filter. */
export class UnsupportedFilterError extends Error {}

/** Options inside `name(…)` of an `$expand`; `undefined` where it isn't expanded. */
export function expandOptions(expand: string | undefined, name: string): PineOptions | undefined {
  const item = splitAtDepth0(expand ?? "", ",").find((part) => part === name || part.startsWith(`${name}(`));
  if (item === undefined) return undefined;
  const options = splitAtDepth0(item.slice(name.length + 1, -1), ";").filter((option) => option !== "");
  return new Map(options.map((option) => splitOnce(option, "=")));
}

/** Keeps the fields that `$select` names, or all of them without one. */
export function select(row: Record<string, unknown>, fields: string | undefined): Record<string, unknown> {
  if (fields === undefined) return row;
  return Object.fromEntries(fields.split(",").map((field) => [field, row[field] ?? null]));
}

/** The terms that `and` joins. */
export function splitTerms(filter: string): string[] {
  return splitAtDepth0(filter, " and ").filter((term) => term !== "");
}

/** Whether a row meets `a eq 1 and b eq 'x'`, or the same with `or`; SDKs before 20 put each term in parentheses. */
export function matches(row: Record<string, unknown>, filter: string | undefined): boolean {
  if (filter === undefined) return true;
  const [any, all] = [splitAtDepth0(filter, " or "), splitAtDepth0(filter, " and ")];
  return any.length > 1 ? any.some((term) => holds(row, term)) : all.every((term) => holds(row, term));
}

/** The strings of `slug eq 'a'` or `slug in ('a','b')` in a filter, whatever its path; `undefined` where it isn't there. */
export function stringsOf(filter: string, field: string): string[] | undefined {
  const found = new RegExp(`\\b${field} (?:eq|in) (\\([^)]*\\)|'(?:[^']|'')*')`).exec(filter)?.[1];
  return found === undefined
    ? undefined
    : [...found.matchAll(/'((?:[^']|'')*)'/g)].map((m) => m[1]!.replaceAll("''", "'"));
}

function holds(row: Record<string, unknown>, term: string): boolean {
  const parsed = /^\(?(\w+) (eq|ne) ('.*'|[^()]+)\)?$/.exec(term.trim());
  if (parsed === null) throw new UnsupportedFilterError(term);
  const [, field, operator, literal] = parsed;
  return (row[field!] === literalValue(literal!)) === (operator === "eq");
}

function literalValue(text: string): unknown {
  return text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : JSON.parse(text);
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return [text.slice(0, at), text.slice(at + separator.length)];
}

function splitAtDepth0(text: string, separator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "(") depth++;
    if (text[i] === ")") depth--;
    if (depth === 0 && text.startsWith(separator, i)) {
      parts.push(text.slice(start, i));
      start = i + separator.length;
    }
  }
  return [...parts, text.slice(start)];
}
