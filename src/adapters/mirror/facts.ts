/** Reads the JSON that a mirror answers with. Each answer names the source of the mirror's images. */
import { isRecord } from "../../core/checks.ts";
import { UpstreamError } from "../../core/errors.ts";

/** @throws {UpstreamError} `UPSTREAM` for what is no mirror's answer, and for a mirror of another source. */
export function factsIn(bytes: Uint8Array, sourceId: string): Record<string, unknown> {
  const facts = parsed(bytes);
  const source = isRecord(facts) ? facts["source"] : undefined;
  if (!isRecord(facts) || typeof source !== "string")
    throw new UpstreamError(
      "What answered is not a mirror. Is there a sign-in or maintenance page in between?",
    );
  if (source === sourceId) return facts;
  throw new UpstreamError(
    `The mirror's images come from ${JSON.stringify(source.slice(0, 200))}: if you want these, say so with "sourceId"`,
    { unavailable: false },
  );
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
