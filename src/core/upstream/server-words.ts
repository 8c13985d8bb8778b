/** Reads a server's message about a refusal, short and safe to quote. balena sends it as a JSON string. */
import { bounds } from "../bounds.ts";
import { purged } from "../foreign-error.ts";
import { readAtMost } from "../read-at-most.ts";
import { withinTimeout } from "./within-timeout.ts";

/** An error page is not worth waiting for. */
const patienceMs = 2_000;

/** What the body of a refusal says; `undefined` if that is nothing, or nothing for people. The body is used up. */
export async function wordsOf(
  response: Response,
  secrets: readonly string[] = [],
): Promise<string | undefined> {
  try {
    const { bytes } = await withinTimeout(patienceMs, undefined, (signal) =>
      readAtMost(response.body, bounds.errorPageBytes, { signal }),
    );
    return quotable(messageIn(new TextDecoder().decode(bytes)), secrets);
  } catch {
    return undefined;
  }
}

/** The words as the end of a sentence. */
export function quoting(words: string | undefined): string {
  return words === undefined ? "" : `: it says ${JSON.stringify(words)}`;
}

/** The message in a JSON answer, the Message of an XML one, the title of a page, or the text itself. */
export function messageIn(text: string): string {
  const json = parsed(text);
  if (json !== undefined) return messageOf(json);
  if (/^\s*</.test(text))
    return between(text, "<Message>", "</Message>") ?? between(text, "<title>", "</title>") ?? "";
  return text;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function messageOf(json: unknown): string {
  if (typeof json === "string") return json;
  const { message, error, detail, title } = Object(json) as Record<string, unknown>;
  const candidates = [message, error, Object(error).message, detail, title];
  return (candidates.find((one) => typeof one === "string") as string | undefined) ?? "";
}

function between(text: string, start: string, end: string): string | undefined {
  const from = text.indexOf(start);
  const to = text.indexOf(end, from);
  return from === -1 || to === -1 ? undefined : text.slice(from + start.length, to);
}

/** On one line: it goes into logs. */
function quotable(text: string, secrets: readonly string[]): string | undefined {
  const line = purged(text, secrets)
    .slice(0, 2 * bounds.quotedCharacters)
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(0, bounds.quotedCharacters);
  return line === "" ? undefined : line;
}
