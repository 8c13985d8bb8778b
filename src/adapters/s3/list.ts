/** Lists the objects under a prefix, page by page. */
import type { S3Client } from "./client.ts";
import { malformedAnswer, textOf } from "./failure.ts";
import { elementOf, elementsOf } from "./xml.ts";

/** Names of all objects that begin with the prefix, in S3's order. */
export async function listObjects(ask: S3Client, prefix: string): Promise<string[]> {
  const names: string[] = [];
  let token: string | undefined;
  do {
    const page = await listPage(ask, prefix, token);
    names.push(...page.names);
    if (page.next !== undefined && page.next === token) throw malformedAnswer("the same page twice");
    token = page.next;
  } while (token !== undefined);
  return names;
}

interface Page {
  readonly names: string[];
  readonly next: string | undefined;
}

async function listPage(ask: S3Client, prefix: string, token: string | undefined): Promise<Page> {
  const query = {
    "list-type": "2",
    // XML can't hold every character that a name can.
    "encoding-type": "url",
    prefix,
    ...(token !== undefined && { "continuation-token": token }),
  };
  const page = pageOf(textOf(await ask({ method: "GET", name: "", query })));
  // A server that ignores the prefix would have strangers' objects deleted.
  if (page.names.every((name) => name.startsWith(prefix))) return page;
  throw malformedAnswer("a listing of other objects than were asked for");
}

function pageOf(xml: string): Page {
  // A body without a length that is cut off ends as if whole: only the last tag tells.
  const isWhole = /<ListBucketResult[\s>]/.test(xml) && xml.trimEnd().endsWith("</ListBucketResult>");
  const isTruncated = elementOf(xml, "IsTruncated");
  if (!isWhole || !/^(true|false)$/.test(isTruncated ?? "")) throw malformedAnswer("no whole listing");
  const decode = elementOf(xml, "EncodingType") === "url" ? decodeName : (name: string) => name;
  const next = isTruncated === "true" ? elementOf(xml, "NextContinuationToken") : undefined;
  if (isTruncated === "true" && !next) throw malformedAnswer("a listing that goes on nowhere");
  return { names: elementsOf(xml, "Key").map(decode), next };
}

/** AWS writes a space as `+`, and a plus always escaped. */
function decodeName(name: string): string {
  try {
    return decodeURIComponent(name.replaceAll("+", " "));
  } catch (cause) {
    throw Object.assign(malformedAnswer("a name that is badly escaped"), { cause });
  }
}
