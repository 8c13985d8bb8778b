/** Opens an image in parts. To the rest of a transfer it looks like a file that delivers every range. */
import type { Validators } from "../freshness/validators.ts";
import type { ImageParts } from "../types.ts";
import type { UpstreamBody } from "./body.ts";
import type { DownloadJob, UpstreamAnswer, UpstreamFile } from "./job.ts";
import { partsValidators, sum } from "./part-list.ts";
import { PartSupply } from "./part-supply.ts";
import type { RequestConditions } from "./request.ts";

/** Asks for the first part. Asks for nothing if the list alone is the answer, or if only a rest is wanted: what is kept tells where it begins. */
export async function openParts(
  job: DownloadJob,
  answer: ImageParts,
  conditions: RequestConditions,
): Promise<UpstreamAnswer> {
  const validators = await partsValidators(answer.parts);
  if (conditions.unless?.etag === validators.etag) return { response: { kind: "not-modified" } };
  const supply = new PartSupply(job, answer, validators);
  const size = sum(supply.parts, "bytes");
  if (conditions.isHeadersOnly) return asFile(size, validators, 0, noBody);
  // Where the rest begins is told by what is kept of it. Another list is another file: then it begins at its beginning.
  if (conditions.resume?.etag === validators.etag)
    return { ...asFile(size, validators, conditions.resume!.fromByte, noBody), parts: { supply } };
  const first = await supply.openFirst(job.signal).catch((failure: unknown) => {
    supply.close();
    throw failure;
  });
  return { ...asFile(size, validators, 0, first.response.body), parts: { supply, first } };
}

const noBody: UpstreamBody = {
  arePiecesOurs: false,
  read: async () => undefined,
  cancel: async () => undefined,
};

function asFile(size: number, validators: Validators, fromByte: number, body: UpstreamBody): UpstreamFile {
  return {
    // The parts have addresses of their own.
    request: { url: "", gzip: false, exactBytes: size },
    response: {
      kind: "body",
      body,
      validators,
      mime: undefined,
      fileBytes: size,
      fromByte,
      isCoded: false,
    },
  };
}
