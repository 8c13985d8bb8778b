/**
 * Compressed bytes of parts that are under way, in pieces. A process that goes on after another inflates them again, instead of fetching
 * them again. The journal names each piece before it is written. So every piece can be found, counted and deleted by the journal.
 */
import { bounds } from "../bounds.ts";
import { isCount, isHeaderValue, isOptional, isRecord, isSha256 } from "../checks.ts";
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
  readonly bytes: number;
  readonly sha256: string;
}

/** What a segment of a journal says of pieces. */
export interface WireNews {
  /** Parts whose earlier pieces do not count any more: they are finished, or were wrong. */
  readonly dropped: readonly number[];
  /** New ones. One at the place of an earlier one takes its place, and that of all pieces after it. */
  readonly pieces: readonly WirePiece[];
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
  const stored = await store.read(wireKey(id, piece), piece.bytes, signal);
  if (stored?.length !== piece.bytes) return undefined;
  const { sha256, bytes } = await hash(stored);
  return sha256 === piece.sha256 ? bytes : undefined;
}

export function isWireNews(value: unknown): value is WireNews {
  if (!isRecord(value)) return false;
  const { dropped, pieces, provenParts } = value;
  return (
    isOptional(isCount, provenParts) &&
    Array.isArray(dropped) &&
    dropped.every(isCount) &&
    Array.isArray(pieces) &&
    pieces.every(isWirePiece)
  );
}

function isWirePiece(value: unknown): value is WirePiece {
  if (!isRecord(value)) return false;
  const { part, etag, epoch, n, offset, bytes, sha256 } = value;
  const areCounts = [part, epoch, n, offset, bytes].every(isCount);
  return areCounts && (bytes as number) <= bounds.wirePieceBytes && isHeaderValue(etag) && isSha256(sha256);
}
