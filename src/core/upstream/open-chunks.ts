/** Opens an image in chunks. To the rest of a transfer it looks like a raw file that delivers every range. */
import { sha256HexOfText } from "../digest.ts";
import { IntegrityError } from "../errors.ts";
import type { Validators } from "../freshness/validators.ts";
import { chunksWithin } from "../memory/budget.ts";
import type { ImageChunks, ResolvedImage } from "../types.ts";
import { unlessAborted } from "../waiting.ts";
import type { UpstreamBody } from "./body.ts";
import type { DownloadJob, UpstreamAnswer } from "./job.ts";
import type { RequestConditions } from "./request.ts";

/** What is on its way at a time: enough for a line with a long way, and within the budget. */
const aheadBytes = 16 * 1024 * 1024;
const aheadLimits = [2, 8] as const;

/** What is needed of a download. */
export type ChunksJob = Pick<DownloadJob, "id" | "chunks" | "signal" | "onBytes">;

/** No chunk is asked for before the body is read. */
export async function openChunks(
  job: ChunksJob,
  fileType: ResolvedImage["fileType"],
  image: ImageChunks,
  { unless, resume, span }: RequestConditions,
): Promise<UpstreamAnswer> {
  const validators = await validatorsOf(image, fileType);
  const isSame = (etag: string | undefined) => etag !== undefined && etag === validators.etag;
  if (unless && isSame(unless.etag)) return { response: { kind: "not-modified" } };
  const rest = resume && isSame(resume.etag) ? resume : span;
  const { fromByte = 0, toByte = image.size } = rest ?? {};
  return {
    request: { url: "", gzip: false, exactBytes: image.size },
    response: {
      kind: "body",
      body: chunkBody(job, image, fromByte, Math.min(toByte, image.size)),
      validators,
      mime: image.mime,
      fileBytes: image.size,
      fromByte,
      isCoded: false,
    },
    chunkBytes: image.chunkBytes,
  };
}

async function validatorsOf(
  { size, chunkBytes, digests, validators }: ImageChunks,
  fileType: ResolvedImage["fileType"],
): Promise<Validators> {
  if (validators) {
    const { etag, lastModified, date, size: bytes } = validators;
    return { etag, lastModified, date, size: bytes, fileType: validators.fileType ?? fileType };
  }
  const digest = await sha256HexOfText(JSON.stringify([size, chunkBytes, digests]));
  return { etag: `"chunks-${digest}"`, size, fileType };
}

/** The chunks one after the other, some of them ahead of their turn. An empty piece says that something of them has come. */
function chunkBody(job: ChunksJob, image: ImageChunks, fromByte: number, toByte: number): UpstreamBody {
  const { chunkBytes } = image;
  const account = job.chunks.memory.open();
  const maxAhead = chunksWithin(aheadBytes, chunkBytes, aheadLimits);
  const leaving = new AbortController();
  const signal = AbortSignal.any([job.signal, leaving.signal]);
  const ahead: Promise<Uint8Array<ArrayBuffer>>[] = [];
  let position = fromByte;
  let nextIndex = Math.floor(fromByte / chunkBytes);
  let moved = Promise.withResolvers<undefined>();
  const onBytes = () => moved.resolve(undefined);

  const bringAhead = () => {
    while (nextIndex * chunkBytes < toByte && ahead.length < maxAhead) {
      if (!account.tryTake(chunkBytes, ahead.length === 0)) return;
      const chunk = bringChunk(job, image, nextIndex++, { signal, onBytes });
      chunk.catch(() => undefined); // it is looked at when its turn comes
      ahead.push(chunk);
    }
  };
  const handOut = (chunk: Uint8Array<ArrayBuffer>) => {
    void ahead.shift();
    account.give(chunkBytes);
    const start = position - (position % chunkBytes);
    const piece = chunk.subarray(position - start, toByte - start);
    position += piece.length;
    return piece;
  };

  return {
    arePiecesOurs: true,
    async read() {
      bringAhead();
      if (!ahead[0]) return undefined;
      try {
        const chunk = await Promise.race([ahead[0], moved.promise]);
        if (chunk) return handOut(chunk);
        moved = Promise.withResolvers();
        return new Uint8Array(0);
      } catch (failure) {
        if (leaving.signal.aborted) return undefined;
        throw failure;
      }
    },
    async cancel() {
      leaving.abort(new DOMException("The image is left", "AbortError"));
      ahead.length = 0;
      nextIndex = Number.POSITIVE_INFINITY;
      account.close();
    },
  };
}

interface Watch {
  readonly signal: AbortSignal;
  onBytes(): void;
}

/** From the store, or else from the source, proven by its name. Wrong bytes are asked for once more. */
async function bringChunk(
  { id, chunks, onBytes }: ChunksJob,
  image: ImageChunks,
  index: number,
  watch: Watch,
): Promise<Uint8Array<ArrayBuffer>> {
  const length = Math.min(image.chunkBytes, image.size - index * image.chunkBytes);
  const digest = image.digests[index]!;
  if (digest === null) return new Uint8Array(length);
  const stored = await chunks.stored?.(digest, length, watch.signal);
  if (stored) return stored;
  for (let tries = 1; ; tries++) {
    const bytes = await unlessAborted(watch.signal, () => image.chunk(digest, watch));
    watch.onBytes();
    const right = await proven(bytes, digest, length, chunks.hash);
    if (right) {
      onBytes?.(length);
      return right;
    }
    const message = `The source twice sent other bytes of chunk ${index} than its name says`;
    if (tries === 2) throw new IntegrityError(id, index, { message });
  }
}

/** A hasher may take the buffer, so it gets one that has nothing else in it. */
async function proven(bytes: unknown, digest: string, length: number, hash: ChunksJob["chunks"]["hash"]) {
  if (!(bytes instanceof Uint8Array) || bytes.length !== length) return undefined;
  const isWhole = bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === length;
  const hashed = await hash(isWhole ? (bytes as Uint8Array<ArrayBuffer>) : bytes.slice());
  return hashed.sha256 === digest ? hashed.bytes : undefined;
}
