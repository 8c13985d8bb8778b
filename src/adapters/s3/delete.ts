/** Deletes objects by name: in batches if the server supports them, otherwise one by one. */
import { bounds } from "../../core/bounds.ts";
import type { FailedKey } from "../../core/types.ts";
import { failedKeys } from "../store-values.ts";
import type { S3Client } from "./client.ts";
import { bodyTextOf, isRefusedWith, malformedAnswer } from "./failure.ts";
import { blocksOf, elementOf, escapeXml, isWhole } from "./xml.ts";

/** S3's limit. */
const namesPerBatch = 1_000;
const deletesAtOnce = 16;

/** Deletes one object; a missing one needs no deleting. */
export async function deleteObject(ask: S3Client, name: string): Promise<void> {
  try {
    await ask({ method: "DELETE", name });
  } catch (error) {
    if (!isRefusedWith(error, "NoSuchKey")) throw error;
  }
}

/** Deletes all of them, as far as the server lets it; gives the names that are left. */
export async function deleteObjects(ask: S3Client, names: readonly string[]): Promise<FailedKey[]> {
  const failed: FailedKey[] = [];
  for (let start = 0; start < names.length; start += namesPerBatch) {
    const left = await deleteBatch(ask, names.slice(start, start + namesPerBatch));
    // Once more, singly: that either works or says why not.
    failed.push(...(await failedKeys(left, (name) => deleteObject(ask, name), deletesAtOnce)));
  }
  return failed;
}

/** The names that are left to delete: those that the server failed at, or all if it takes no such batch. */
async function deleteBatch(ask: S3Client, names: readonly string[]): Promise<readonly string[]> {
  const body = new TextEncoder().encode(batchOf(names));
  // Some servers insist on Content-MD5 instead, which web platforms can't make: they get single requests.
  const headers = { "content-type": "application/xml", "x-amz-checksum-sha256": await sha256Of(body) };
  try {
    const request = { method: "POST", name: "", query: { delete: "" }, headers, body } as const;
    const failed = new Set(
      failedOf(bodyTextOf(await ask({ ...request, maxBytes: bounds.listingPageBytes }))),
    );
    return names.filter((name) => failed.has(name));
  } catch (error) {
    if (isRefusedWith(error, 400, 405, 411, 501)) return names;
    throw error;
  }
}

function batchOf(names: readonly string[]): string {
  const objects = names.map((name) => `<Object><Key>${escapeXml(name)}</Key></Object>`);
  const namespace = "http://s3.amazonaws.com/doc/2006-03-01/";
  return `<Delete xmlns="${namespace}">${objects.join("")}<Quiet>true</Quiet></Delete>`;
}

function failedOf(answer: string): string[] {
  if (!isWhole(answer, "DeleteResult")) throw malformedAnswer("no whole result of a deletion");
  return blocksOf(answer, "Error").map((block) => elementOf(block, "Key") ?? "");
}

async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}
