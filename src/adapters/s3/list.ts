/** Lists the objects under a prefix, page by page. */
import { bounds } from "../../core/bounds.ts";
import { type KeyPage, keysOfPages } from "../store-values.ts";
import type { S3Client } from "./client.ts";
import { bodyTextOf, malformedAnswer } from "./failure.ts";
import { elementOf, elementsOf, isWhole } from "./xml.ts";

/** Names of all objects that begin with the prefix. */
export function listObjects(ask: S3Client, prefix: string): Promise<string[]> {
  return keysOfPages(prefix, async (token) => {
    const query = {
      "list-type": "2",
      // XML can't hold every character that a name can.
      "encoding-type": "url",
      prefix,
      ...(token !== undefined && { "continuation-token": token }),
    };
    const answer = await ask({ method: "GET", name: "", query, maxBytes: bounds.listingPageBytes });
    return pageOf(bodyTextOf(answer));
  });
}

function pageOf(xml: string): KeyPage {
  const isTruncated = elementOf(xml, "IsTruncated");
  if (!isWhole(xml, "ListBucketResult") || !/^(true|false)$/.test(isTruncated ?? ""))
    throw malformedAnswer("no whole listing");
  const decode = elementOf(xml, "EncodingType") === "url" ? decodeName : (name: string) => name;
  const next = isTruncated === "true" ? elementOf(xml, "NextContinuationToken") : undefined;
  if (isTruncated === "true" && !next) throw malformedAnswer("a listing that goes on nowhere");
  return { keys: elementsOf(xml, "Key").map(decode), next };
}

/** AWS writes a space as `+`, and a plus always escaped. */
function decodeName(name: string): string {
  try {
    return decodeURIComponent(name.replaceAll("+", " "));
  } catch (cause) {
    throw Object.assign(malformedAnswer("a name that is badly escaped"), { cause });
  }
}
