/** The types of a download: its task, the file that it reads, and the sink of its bytes. */
import type { Validators } from "../freshness/validators.ts";
import type { MemoryBudget } from "../memory/budget.ts";
import type { FilePosition } from "../memory/chunk-list.ts";
import type { Hasher, ImageChunks, ImageFile, ImageParts, ResolvedImage } from "../types.ts";
import type { FilePart } from "./file-parts.ts";
import type { FileBody } from "./file-response.ts";
import type { Inflater } from "./gzip-member.ts";
import type { RequestConditions } from "./request.ts";
import type { RetryPolicy } from "./retry.ts";

/** A file whose response has begun. */
export interface UpstreamFile {
  readonly request: ImageFile;
  readonly response: FileBody;
  /** Set for an image that comes in parts. To all else it is a raw file with a strong ETag, of which every range can be had. */
  readonly parts?: UpstreamParts;
  /** Set for an image that comes in chunks of so many bytes. To all else it is a raw file. */
  readonly chunkBytes?: number;
}

/** Where the parts come from, and the first one that is needed. */
export interface UpstreamParts {
  readonly supply: PartOpener;
  /** `undefined` for an image that goes on from what an earlier transfer left. */
  readonly first?: UpstreamFile;
  /** Where that part begins, for one that an earlier transfer had begun: it comes again from its first byte, and is compared. */
  readonly mark?: SinkMark;
}

/** Opens the parts of one image. */
export interface PartOpener {
  /** What the file that is wanted is made of. */
  readonly parts: readonly FilePart[];
  readonly validators: Validators;
  /** The response for a part, whole or from a byte on. */
  open(index: number, conditions: RequestConditions, signal: AbortSignal): Promise<UpstreamFile>;
  /** Asks for the parts after one whose last bytes are on their way. */
  openAhead(index: number, signal: AbortSignal): void;
  /** Asks for no more ranges of its own accord: the upstream does not hand them out in a useful way. */
  forgoRanges(): void;
  /** Lets go of what was asked for early. */
  close(): void;
}

/** Keeps parts' bytes as they come over the wire, for a process that goes on after this one has died. */
export interface WireKeep {
  /** What an earlier transfer kept of a part, from its first byte on. */
  kept(part: number): KeptBytes | undefined;
  /** Takes bytes of a part that follow those that are kept. Others are passed over. A slow store slows the download, within limits. */
  take(part: number, etag: string, offset: number, bytes: Uint8Array): Promise<void>;
  /** A part has passed its check, and so have all before it. */
  proven(part: number): void;
  /** What is kept of a part is not right. */
  drop(part: number): Promise<void>;
}

/** Kept bytes of one part. */
export interface KeptBytes {
  /** ETag of the file that they are of. */
  readonly etag: string;
  /** The bytes, as far as they are sound. */
  read(): AsyncGenerator<Uint8Array<ArrayBuffer>>;
}

/** What reading a part by ranges may use. */
export interface RangeLimits {
  /** How many ranges may be on their way. */
  readonly connections: number;
  /** Where the memory for ranges that come before their turn is taken from. */
  readonly memory: MemoryBudget;
}

/** What an image in chunks is read with. */
export interface ChunkTools {
  readonly hash: Hasher;
  readonly memory: MemoryBudget;
  /** A chunk that need not be fetched, verified. Default: all are fetched. */
  stored?(digest: string, length: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

/** Where the bytes go. */
export interface DownloadSink {
  /** What follows starts at this byte: the image's first, or the first of the rest. */
  begin(fromByte: number): void;
  /** Takes a piece (only until it settles); slow ones slow the download. */
  write(piece: Uint8Array): Promise<void>;
  /** Where it stands now. */
  mark(): SinkMark;
  /** Goes back. `compare`: what comes again must be the same. `replace`: what came since the mark was wrong. */
  rewind(mark: SinkMark, how: "compare" | "replace"): Promise<void>;
  /** Told how far the upstream's file has come, if its length is known. */
  noteFile(position: FilePosition): void;
}

/** A place in the sink that it can be taken back to. */
export interface SinkMark {
  readonly chunk: number;
  /** Bytes of that chunk that came before the mark. */
  readonly head: Uint8Array<ArrayBuffer>;
}

/** What a download is made of. */
export interface DownloadJob {
  /** The manifest's id. */
  readonly id: string;
  readonly image: Omit<ResolvedImage, "fileType" | "signal">;
  /** The file to ask for first; another one that is stored or was asked for. */
  readonly fileTypes: readonly ResolvedImage["fileType"][];
  request(image: ResolvedImage): Promise<ImageFile | ImageParts | ImageChunks>;
  /** Ask for the whole file alone: the source is known to have no parts of it. */
  readonly isWhole?: boolean | undefined;
  /** Whether the whole file may be asked for if the addresses of its parts are refused. */
  readonly mayAskForWhole: boolean;
  readonly fetch: typeof fetch;
  readonly inflater: Inflater;
  /** Default: one connection for each part. */
  readonly ranges?: RangeLimits | undefined;
  readonly chunks: ChunkTools;
  readonly retry: RetryPolicy;
  readonly signal: AbortSignal;
  /** Default: nothing is kept. */
  readonly wire?: WireKeep | undefined;
  onResumed(fromByte: number, cause: unknown): void;
  /** Told of the bytes of each piece of a file that comes. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** A download that came to its end. */
export interface DownloadResult {
  /** Its framing, its gzip trailer or its source proves that nothing is missing. */
  readonly isProven: boolean;
  /** The file that it was. */
  readonly file: UpstreamFile;
}

/** A file whose response has begun, or word that the stored one is still right. */
export type UpstreamAnswer = UpstreamFile | { readonly response: { readonly kind: "not-modified" } };
