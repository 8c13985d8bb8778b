// How tests came out, and the reading of it from the JUnit files that Node, Bun and Deno write.
import { separator } from "../suites/host.ts";

/** One test of a runtime. */
export interface Result {
  readonly suite: string;
  readonly name: string;
  readonly outcome: "passed" | "skipped" | "failed";
  /** What the runner said of a failure. */
  readonly detail?: string;
  /** What was counted, where that says more than that it passed. */
  readonly note?: string;
}

/** A result under the name that a suite gave. */
export function resultOf(fullName: string, outcome: Result["outcome"], detail?: string): Result {
  const [suite = "", name] = fullName.split(separator);
  const names = name === undefined ? { suite: "other", name: fullName } : { suite, name };
  return { ...names, outcome, ...(detail !== undefined && { detail }) };
}

/** The tests in a JUnit file. */
export function resultsInJunit(xml: string): Result[] {
  const cases = xml.matchAll(/<testcase((?:\s+[\w:-]+="[^"]*")*)\s*(?:\/>|>([\s\S]*?)<\/testcase>)/g);
  return [...cases].map(([, attributes = "", body = ""]) => {
    const name = unescapeXml(/\sname="([^"]*)"/.exec(attributes)?.[1] ?? "");
    if (/<(?:failure|error)\b/.test(body)) return resultOf(name, "failed", unescapeXml(body).trim());
    return resultOf(name, /<skipped\b/.test(body) ? "skipped" : "passed");
  });
}

function unescapeXml(text: string): string {
  const named: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(?:#(x?)([0-9a-f]+)|(\w+));/gi, (whole, hex, code, name) =>
    code === undefined ? (named[name] ?? whole) : String.fromCodePoint(Number.parseInt(code, hex ? 16 : 10)),
  );
}
