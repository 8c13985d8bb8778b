/**
 * Compressed bytes of parts that are under way, in pieces. A process that goes on after another inflates them again, instead of fetching
 * them again. The journal names each piece before it is written. So every piece can be found, counted and deleted by the journal. A name is
 * known before the bytes are: what proves them stands at the end of the piece.
 */
import { bounds } from "../bounds.ts";
import { isCount, isHeaderValue, isOptional, isRecord } from "../checks.ts";
import { hexOf, sha256OfText } from "../digest.ts";
import type { Hasher } from "../types.ts";
import type { ByteStore } from "./byte-store.ts";
import { wireKey } from "./keys.ts";

/** What a journal says of one piece. */
export interface WirePiece {
  /** Index of the part. */
  readonly part: number;
  /** ETag of the part's file, by which the upstream is asked for the rest of it. */
  readonly etag: string;
  /** The epoch in which it was written, and its number there: its key. */
  readonly epoch: number;
  readonly n: number;
  /** Its place in the part's file. */
  readonly offset: number;
  /** Without the seal. */
  readonly bytes: number;
}

/** Bytes of the SHA-256 that a stored piece ends with. */
export const pieceSealBytes = 32;

/** What a segment of a journal says of pieces. */
export interface WireNews {
  /** Parts whose earlier pieces do not count any more: they are finished, or were wrong. */
  readonly dropped: readonly number[];
  /** New ones. One at the place of an earlier one takes its place, and that of all pieces after it. */
  readonly pieces: readonly WirePiece[];
  /** Pieces of this epoch with a number below this one are stored. Of the others it is not known whether they have come. */
  readonly storedBelow?: number | undefined;
  /** How many parts, from the first on, have passed their check by now. Their chunks are right. */
  readonly provenParts?: number | undefined;
}

/** Pieces by their part, in order and without gaps from each part's first byte on. */
export type WireParts = ReadonlyMap<number, readonly WirePiece[]>;

/** Adds what a segment says. A piece that does not go on from the ones before is none of the journal's. */
export function addWireNews(parts: Map<number, WirePiece[]>, { dropped, pieces }: WireNews): void {
  for (const part of dropped) parts.delete(part);
  for (const piece of pieces) {
    const list = parts.get(piece.part) ?? [];
    while (list.length > 0 && list.at(-1)!.offset >= piece.offset) list.pop();
    const isNext = endOf(list) === piece.offset && (list[0]?.etag ?? piece.etag) === piece.etag;
    if (isNext) list.push(piece);
    parts.set(piece.part, list);
  }
}

/** The first byte after some pieces. */
export function endOf(pieces: readonly WirePiece[]): number {
  const last = pieces.at(-1);
  return last ? last.offset + last.bytes : 0;
}

/** The piece's bytes, verified; `undefined` if it is missing or damaged. */
export async function readWirePiece(
  store: ByteStore,
  hash: Hasher,
  id: string,
  piece: WirePiece,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const length = piece.bytes + pieceSealBytes;
  const stored = await store.read(wireKey(id, piece), length, signal);
  if (stored?.length !== length) return undefined;
  const seal = hexOf(stored.subarray(piece.bytes));
  stored.set(await sha256OfPlace(id, piece), piece.bytes);
  const { sha256, bytes } = await hash(stored);
  return sha256 === seal ? bytes.subarray(0, piece.bytes) : undefined;
}

/** Seals a piece whose value has room for that at its end, and returns the value. */
export async function sealWirePiece(
  hash: Hasher,
  id: string,
  piece: WirePiece,
  value: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  value.set(await sha256OfPlace(id, piece), piece.bytes);
  const { sha256, bytes } = await hash(value);
  for (let at = 0; at < pieceSealBytes; at++)
    bytes[piece.bytes + at] = Number.parseInt(sha256.slice(2 * at, 2 * at + 2), 16);
  return bytes;
}

/** Part of what is hashed: a piece that an older transfer has left under the same key is none of this one. */
function sha256OfPlace(id: string, piece: WirePiece): Promise<Uint8Array> {
  return sha256OfText([wireKey(id, piece), piece.etag, piece.offset, piece.bytes].join("\n"));
}

export function isWireNews(value: unknown): value is WireNews {
  if (!isRecord(value)) return false;
  const { dropped, pieces, storedBelow, provenParts } = value;
  return (
    isOptional(isCount, storedBelow) &&
    isOptional(isCount, provenParts) &&
    Array.isArray(dropped) &&
    dropped.every(isCount) &&
    Array.isArray(pieces) &&
    pieces.every(isWirePiece)
  );
}

function isWirePiece(value: unknown): value is WirePiece {
  if (!isRecord(value)) return false;
  const { part, etag, epoch, n, offset, bytes } = value;
  const areCounts = [part, epoch, n, offset, bytes].every(isCount);
  return areCounts && (bytes as number) <= bounds.wirePieceBytes && isHeaderValue(etag);
}
