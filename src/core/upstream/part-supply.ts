/** Opens an image's parts one by one, at the addresses that the source gives. The next part is requested early. */
import { ImageChangedError, isImageManagerError, UpstreamError } from "../errors.ts";
import type { Validators } from "../freshness/validators.ts";
import type { ImageFile, ImagePart, ImageParts } from "../types.ts";
import { discard } from "./file-response.ts";
import type { DownloadJob, PartOpener, UpstreamFile } from "./job.ts";
import { isImageParts, partsValidators } from "./part-list.ts";
import { type RequestConditions, requestFile } from "./request.ts";
import { withinTimeout } from "./within-timeout.ts";

/** Parts that are asked for before their turn: as many small ones as this, and the one after. */
const aheadBytes = 1024 * 1024;
const maxAhead = 4;

export class PartSupply implements PartOpener {
  readonly validators: Validators;
  readonly #job: DownloadJob;
  #parts: readonly ImagePart[];
  readonly #ahead = new Map<number, Promise<UpstreamFile>>();

  /** `validators`: those of the parts. */
  constructor(job: DownloadJob, { parts }: ImageParts, validators: Validators) {
    this.#job = job;
    this.#parts = parts;
    this.validators = validators;
  }

  get parts(): readonly ImagePart[] {
    return this.#parts;
  }

  /** The response for a part, whole or from a byte on. */
  async open(index: number, conditions: RequestConditions, signal: AbortSignal): Promise<UpstreamFile> {
    const early = this.#ahead.get(index);
    this.#ahead.delete(index);
    // One that was asked for early may have failed, or waited too long: then it is asked for again.
    const opened = conditions.resume ? undefined : await early?.catch(() => undefined);
    return opened ?? this.#ask(index, conditions, signal);
  }

  /** Asks for the parts after one whose last bytes are on their way. */
  openAhead(index: number, signal: AbortSignal): void {
    let bytes = 0;
    for (let next = index + 1; next < this.#parts.length && next <= index + maxAhead; next++) {
      if (bytes > aheadBytes) return;
      bytes += this.#parts[next]!.wireBytes;
      if (this.#ahead.has(next)) continue;
      const opening = this.#ask(next, {}, signal);
      opening.catch(() => undefined); // it is looked at when its turn comes
      this.#ahead.set(next, opening);
    }
  }

  /** Lets go of what was asked for early. */
  close(): void {
    for (const opening of this.#ahead.values())
      void opening.then(
        ({ response }) => discard(response),
        () => undefined,
      );
    this.#ahead.clear();
  }

  /** An address that is refused may have expired: the source is asked for a new one, once. */
  async #ask(index: number, conditions: RequestConditions, signal: AbortSignal): Promise<UpstreamFile> {
    for (let isRenewed = false; ; isRenewed = true) {
      try {
        return await this.#request(this.#parts[index]!, conditions, signal);
      } catch (cause) {
        if (!isRefusedAddress(cause)) throw cause;
        if (isRenewed) throw refused(this.#parts[index]!, cause);
        await this.#renew(signal);
      }
    }
  }

  async #request(part: ImagePart, conditions: RequestConditions, signal: AbortSignal): Promise<UpstreamFile> {
    const { fetch, image, retry } = this.#job;
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
      requestFile(fetch, asked, request, { resume }, timed),
    );
    if (
      response.kind === "body" &&
      !response.isCoded &&
      (response.fileBytes ?? part.wireBytes) === part.wireBytes
    )
      return { request, response };
    if (response.kind === "body") await discard(response);
    throw new UpstreamError(`The upstream has a different file at the address of part ${part.name}`, {
      unavailable: true,
    });
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { image, request } = this.#job;
    const answer = await request({ ...image, fileType: ".gz", signal });
    const isSame =
      isImageParts(answer) && (await partsValidators(answer.parts)).etag === this.validators.etag;
    if (!isSame) throw new ImageChangedError("The upstream's parts of this version changed");
    this.#parts = answer.parts;
  }
}

function isRefusedAddress(failure: unknown): boolean {
  if (!isImageManagerError(failure)) return false;
  return failure.code === "UNAUTHORIZED" || failure.code === "VERSION_NOT_FOUND";
}

/** The addresses of parts are refused, new ones too: another way to the image may still be open. */
export class PartsRefusedError extends UpstreamError {}

function refused({ name }: ImagePart, cause: unknown): UpstreamError {
  const message = `The upstream does not hand out part ${name}, not at a new address either`;
  return new PartsRefusedError(message, { unavailable: true }, { cause });
}
