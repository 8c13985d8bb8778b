// Picks the file that answers a download: its packing, its content coding, its validators.
import type { IncomingHttpHeaders } from "node:http";
import type { Validators } from "./conditions.ts";
import { type DownloadFaults, isDue, strikes } from "./faults.ts";
import type { AskedImage } from "./image.ts";
import type { ImageMaker } from "./image-clock.ts";
import type { PackedFile } from "./packed-files.ts";
import type { Packing } from "./packing.ts";

/** A file and what HTTP says about it. */
export interface Representation extends Validators {
  readonly file: PackedFile;
  /** Whether a gzip content coding lies over it. */
  readonly coded: boolean;
  readonly mime: string;
}

/** Picks the representation; counts `faults.change`. */
export async function representationOf(
  asked: AskedImage,
  headers: IncomingHttpHeaders,
  faults: DownloadFaults,
  { imageOf, makeAt }: ImageMaker,
): Promise<Representation> {
  const changed = strikes(faults.change) ? faults.change : { content: false, validators: false };
  const fileType = asked.variant["fileType"] ?? ".img";
  const coded = isCoded(fileType, headers, faults);
  const packing = packingOf(fileType, coded);
  const madeAt = makeAt(asked);
  const file = await imageOf({ ...asked, madeAt, contentRevision: changed.content ? 1 : 0 }).file(packing);
  const { tag } = imageOf({ ...asked, madeAt, contentRevision: 0 }); // not the content's: it may change while its validators don't
  const mime = fileType === ".zip" ? "application/zip" : "application/octet-stream";
  return {
    file,
    coded,
    mime,
    ...validatorsOf(`${tag}${packing}-${faults.gzipMembers}`, changed.validators, faults),
  };
}

// The real API gzips raw images on the fly for clients that take it, and sends a `.gz` as a plain file.
function isCoded(fileType: string, headers: IncomingHttpHeaders, faults: DownloadFaults): boolean {
  const forced =
    faults.contentCoding === "forced" || (isDue(faults.endShort) && faults.endShort.how === "gzip-coding");
  const accepted = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(String(headers["accept-encoding"] ?? ""));
  return forced || (fileType === ".img" && accepted);
}

function packingOf(fileType: string, coded: boolean): Packing {
  if (fileType === ".img") return coded ? ".gz" : ".img";
  const packing = fileType === ".zip" ? ".zip" : ".gz";
  return coded ? `${packing}+gzip` : packing;
}

function validatorsOf(tag: string, changed: boolean, faults: DownloadFaults): Validators {
  const etag = `"${tag}${changed ? "-changed" : ""}"`;
  const date = faults.lastModified;
  return {
    etag: faults.etag === "none" ? undefined : faults.etag === "weak" ? `W/${etag}` : etag,
    lastModified: date === "none" ? undefined : new Date(date.getTime() + (changed ? 60_000 : 0)),
  };
}
