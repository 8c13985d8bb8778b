/**
 * One record of the ledger, as bytes: a seal, a line of JSON that says what it is about, and the numbers of the images' chunks. As text, the
 * numbers would take three times the room.
 */
import { isCount, isName, isRecord, isTime } from "../checks.ts";
import { sha256Hex } from "../digest.ts";
import type { Content } from "./content.ts";
import { decodeJson } from "./json.ts";

/** What a record says of an image. */
export interface LedgerEntry {
  readonly id: string;
  /** Name of this entry: another record strikes it out by that. */
  readonly tag: string;
  /** See {@link LedgerImage}. */
  readonly stamp: number;
  readonly usedAt: number;
  readonly pinned: boolean;
  readonly content: Content;
}

/** What one record says. */
export interface LedgerRecord {
  readonly images: readonly LedgerEntry[];
  /** Names of entries of other records that hold no more. */
  readonly gone: readonly string[];
}

/** Bytes that an image takes in a record, about. */
export function recordBytesOf({ id, content: { ids, bytes } }: LedgerEntry): number {
  return id.length + 120 + ids.byteLength * ("usual" in bytes ? 1 : 2);
}

const sealLength = 32;
const lineFeed = 10;

export async function encodeRecord(
  key: string,
  { images, gone }: LedgerRecord,
): Promise<Uint8Array<ArrayBuffer>> {
  const facts = { images: images.map(factsOf), gone };
  const head = new TextEncoder().encode(`${JSON.stringify(facts)}\n`);
  const numbers = numbersOf(images.map(({ content }) => content));
  const bytes = new Uint8Array(sealLength + head.length + numbers.length);
  bytes.set(head, sealLength);
  bytes.set(numbers, sealLength + head.length);
  bytes.set(new TextEncoder().encode(await sealOf(key, bytes.subarray(sealLength))));
  return bytes;
}

/** What it says; `undefined` if it was damaged, or moved to another key. */
export async function decodeRecord(
  key: string,
  value: Uint8Array<ArrayBuffer> | undefined,
): Promise<LedgerRecord | undefined> {
  if (!value || value.length <= sealLength) return undefined;
  const body = value.subarray(sealLength);
  const seal = new TextDecoder().decode(value.subarray(0, sealLength));
  if (seal !== (await sealOf(key, body))) return undefined;
  const end = body.indexOf(lineFeed);
  const facts = decodeJson(body.subarray(0, end));
  if (!isFacts(facts)) return undefined;
  const images = imagesOf(facts.images, body.subarray(end + 1));
  return images && { images, gone: facts.gone };
}

/** `usual` and `last` as in {@link EqualBytes}; without them, the bytes of each chunk follow the numbers of an image. */
type ImageFacts = readonly [
  id: string,
  tag: string,
  stamp: number,
  usedAt: number,
  pinned: boolean,
  chunks: number,
  usual?: number,
  last?: number,
];

interface Facts {
  readonly images: readonly ImageFacts[];
  readonly gone: readonly string[];
}

function factsOf({ id, tag, stamp, usedAt, pinned, content }: LedgerEntry): ImageFacts {
  const { ids, bytes } = content;
  const facts = [id, tag, stamp, usedAt, pinned, ids.length] as const;
  return "usual" in bytes ? [...facts, bytes.usual, bytes.last] : facts;
}

function isFacts(value: unknown): value is Facts {
  if (!isRecord(value) || !Array.isArray(value["images"]) || !Array.isArray(value["gone"])) return false;
  return value["images"].every(isImageFacts) && value["gone"].every(isName);
}

function isImageFacts(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const [id, tag, stamp, usedAt, pinned, ...counts] = value;
  const areNamed = isId(id) && isName(tag) && isTime(stamp) && isTime(usedAt) && typeof pinned === "boolean";
  return areNamed && (counts.length === 1 || counts.length === 3) && counts.every(isCount);
}

/** The letters of an id: it becomes a part of keys. */
const isId = (value: unknown) => isName(value) && /^[a-z0-9._~-]+$/.test(value);

/** In little-endian order, whatever the platform's is. */
function numbersOf(contents: readonly Content[]): Uint8Array {
  const places = contents.map(({ ids, bytes }) => ids.length * ("usual" in bytes ? 1 : 2));
  const view = new DataView(new ArrayBuffer(4 * places.reduce((sum, each) => sum + each, 0)));
  let at = 0;
  const put = (value: number) => {
    view.setUint32(at, value, true);
    at += 4;
  };
  for (const content of contents) {
    for (const id of content.ids) put(id);
    if (!("usual" in content.bytes)) for (const bytes of content.bytes) put(bytes);
  }
  return new Uint8Array(view.buffer);
}

function imagesOf(facts: readonly ImageFacts[], numbers: Uint8Array<ArrayBuffer>): LedgerEntry[] | undefined {
  if (numbers.length % 4 !== 0) return undefined;
  const view = new DataView(numbers.buffer, numbers.byteOffset, numbers.length);
  const all = new Uint32Array(numbers.length / 4);
  for (let index = 0; index < all.length; index++) all[index] = view.getUint32(4 * index, true);
  let at = 0;
  const take = (count: number) => {
    at += count;
    return all.subarray(at - count, at);
  };
  const images: LedgerEntry[] = [];
  for (const [id, tag, stamp, usedAt, pinned, chunks, usual, last] of facts) {
    const ids = take(chunks);
    const bytes = usual === undefined ? take(chunks) : { usual, last: last as number };
    images.push({ id, tag, stamp, usedAt, pinned, content: { ids, bytes } });
    if (at > all.length || ids.length < chunks) return undefined;
  }
  return at === all.length ? images : undefined;
}

async function sealOf(key: string, body: Uint8Array): Promise<string> {
  const name = new TextEncoder().encode(`${key}\n`);
  const sealed = new Uint8Array(name.length + body.length);
  sealed.set(name);
  sealed.set(body, name.length);
  return (await sha256Hex(sealed)).slice(0, sealLength);
}
