/** Opens an image's parts one by one, at the addresses that the source gives. The next part is requested early. */
import { startTimer, stopTimer, type Timer } from "../clock.ts";
import { ImageChangedError, isImageManagerError } from "../errors.ts";
import type { Validators } from "../freshness/validators.ts";
import type { ImageFile, ImagePart, ImageParts } from "../types.ts";
import { type FilePart, filePartsOf } from "./file-parts.ts";
import { discard } from "./file-response.ts";
import type { DownloadJob, PartOpener, UpstreamFile } from "./job.ts";
import { isImageParts, partsValidators } from "./part-list.ts";
import { PartsUnavailableError } from "./parts-unavailable.ts";
import { rangeBytesOf } from "./range-size.ts";
import { type RequestConditions, requestFile } from "./request.ts";
import { withinTimeout } from "./within-timeout.ts";

/** Parts that are asked for before their turn: as many small ones as this, and the one after. */
const aheadBytes = 1024 * 1024;
const maxAhead = 4;

export class PartSupply implements PartOpener {
  readonly validators: Validators;
  readonly #job: DownloadJob;
  #parts: readonly FilePart[];
  readonly #ahead = new Map<number, Promise<UpstreamFile>>();
  readonly #leaving = new Set<Timer>();
  #mayRange = true;

  /** `validators`: those of the parts. */
  constructor(job: DownloadJob, { parts }: ImageParts, validators: Validators) {
    this.#job = job;
    this.#parts = filePartsOf(job.image, parts);
    this.validators = validators;
  }

  get parts(): readonly FilePart[] {
    return this.#parts;
  }

  /** The response for a part, whole or from a byte on. */
  async open(index: number, conditions: RequestConditions, signal: AbortSignal): Promise<UpstreamFile> {
    const asked = this.#ahead.get(index);
    this.#ahead.delete(index);
    // One that was asked for early may have failed, or waited too long: then it is asked for again.
    const isWhole = !conditions.resume && !conditions.span;
    const early = isWhole ? await asked?.catch(() => undefined) : undefined;
    return early ?? this.#ask(index, conditions, signal);
  }

  /** The first part. Before a literal one is given, the part after it is asked for: what is wrong with that shows at once. */
  async openFirst(signal: AbortSignal): Promise<UpstreamFile> {
    if (this.#parts[0]!.literal) {
      this.openAhead(0, signal);
      await this.#ahead.get(1);
    }
    return this.open(0, {}, signal);
  }

  /** Asks for the parts after one whose last bytes are on their way. */
  openAhead(index: number, signal: AbortSignal): void {
    let bytes = 0;
    for (let next = index + 1; next < this.#parts.length && next <= index + maxAhead; next++) {
      if (bytes > aheadBytes) return;
      bytes += this.#parts[next]!.wireBytes;
      if (this.#ahead.has(next) || this.#job.wire?.kept(next)) continue;
      const opening = this.#ask(next, {}, signal);
      opening.catch(() => undefined); // it is looked at when its turn comes
      this.#ahead.set(next, opening);
      // A small one is read at once, and its connection is done. A large one waits for its turn, which a slow reader may put off for long.
      if (this.#parts[next]!.wireBytes > aheadBytes) this.#leaveLater(next, opening);
    }
  }

  /** Lets go of a connection that nobody has read from for as long as one may be silent: its part is asked for again. */
  #leaveLater(index: number, opening: Promise<UpstreamFile>): void {
    const timer = startTimer(() => {
      this.#leaving.delete(timer);
      if (this.#ahead.get(index) !== opening) return;
      this.#ahead.delete(index);
      leave(opening);
    }, this.#job.retry.idleTimeoutMs);
    this.#leaving.add(timer);
  }

  forgoRanges(): void {
    this.#mayRange = false;
  }

  /** Lets go of what was asked for early. */
  close(): void {
    for (const timer of this.#leaving) stopTimer(timer);
    for (const opening of this.#ahead.values()) leave(opening);
    this.#ahead.clear();
  }

  /** An address that is refused may have expired, and one of another file is an old one: the source is asked for a new one, once. */
  async #ask(index: number, conditions: RequestConditions, signal: AbortSignal): Promise<UpstreamFile> {
    for (let isRenewed = false; ; isRenewed = true) {
      try {
        return await this.#request(this.#parts[index]!, conditions, signal);
      } catch (cause) {
        if (!isUselessAddress(cause)) throw cause;
        if (isRenewed) throw unavailable(this.#parts[index]!, cause);
        await this.#renew(signal);
      }
    }
  }

  async #request(part: FilePart, conditions: RequestConditions, signal: AbortSignal): Promise<UpstreamFile> {
    const { fetch, image, retry } = this.#job;
    if (part.literal) return literalFile(part.literal);
    const request: ImageFile = {
      url: part.url,
      headers: part.headers,
      gzip: false,
      exactBytes: part.wireBytes,
    };
    const asked = { ...image, fileType: ".gz" as const };
    // Object stores hear If-Match, and not all of them If-Range.
    const resume = conditions.resume && { ...conditions.resume, isMatch: true };
    const response = await withinTimeout(retry.idleTimeoutMs, signal, (timed) =>
      requestFile(
        fetch,
        asked,
        request,
        { resume, span: conditions.span ?? this.#firstRange(part, conditions) },
        timed,
      ),
    );
    if (
      response.kind === "body" &&
      !response.isCoded &&
      (response.fileBytes ?? part.wireBytes) === part.wireBytes
    )
      return { request, response };
    if (response.kind === "body") await discard(response);
    throw new OtherFile(`The upstream has a different file at the address of part ${part.name}`);
  }

  /** Of a large part: the others are asked for over other connections. */
  #firstRange({ wireBytes }: ImagePart, { resume }: RequestConditions): RequestConditions["span"] {
    const toByte = rangeBytesOf(wireBytes, this.#job.ranges?.connections ?? 1);
    return this.#mayRange && !resume && toByte !== undefined ? { fromByte: 0, toByte } : undefined;
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { image, request } = this.#job;
    const answer = await request({ ...image, fileType: ".gz", signal });
    const isSame =
      isImageParts(answer) && (await partsValidators(answer.parts)).etag === this.validators.etag;
    if (!isSame) throw new ImageChangedError("The upstream's parts of this version changed");
    this.#parts = filePartsOf(image, answer.parts);
  }
}

function literalFile(bytes: Uint8Array<ArrayBuffer>): UpstreamFile {
  let isRead = false;
  const read = async () => {
    if (isRead) return undefined;
    isRead = true;
    return bytes.slice();
  };
  const body = { arePiecesOurs: false, read, cancel: async () => undefined };
  const validators = { fileType: ".gz" } as const;
  const facts = { mime: undefined, fileBytes: bytes.length, fromByte: 0, isCoded: false };
  return {
    request: { url: "", gzip: false, exactBytes: bytes.length },
    response: { kind: "body", body, validators, ...facts },
  };
}

/** What is there has another length than the list says, or one that nothing proves. */
class OtherFile extends Error {}

function isUselessAddress(failure: unknown): boolean {
  if (failure instanceof OtherFile) return true;
  if (!isImageManagerError(failure)) return false;
  return failure.code === "UNAUTHORIZED" || failure.code === "VERSION_NOT_FOUND";
}

function unavailable({ name }: ImagePart, cause: unknown): PartsUnavailableError {
  if (cause instanceof OtherFile) return new PartsUnavailableError(cause.message);
  return new PartsUnavailableError(
    `The upstream does not hand out part ${name}, not at a new address either`,
    { cause },
  );
}

function leave(opening: Promise<UpstreamFile>): void {
  void opening.then(
    ({ response }) => discard(response),
    () => undefined,
  );
}
