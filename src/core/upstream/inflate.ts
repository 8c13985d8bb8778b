/**
 * Inflates a gzip file of one or several members, which zeros may follow, with a web `DecompressionStream`.
 *
 * Most call the next member junk (Node since 24, Bun, Deno, workerd), and none tells where a member ended. So each
 * place that looks like the start of a member is checked: it is one if the four bytes before it (ISIZE, RFC 1952) equal
 * what has been inflated. A chance match takes 2^-59; it would end in an error, not in wrong bytes.
 */
import { TruncatedDownloadError, UpstreamError } from "../errors.ts";
import { foreignError } from "../foreign-error.ts";
import { arePiecesOurs, detachBuffer } from "../memory/free.ts";
import { sleep } from "../waiting.ts";
import { leaveInflater } from "./leave-inflater.ts";

type Bytes = Uint8Array<ArrayBufferLike>;

/** Makes a decompressor of one gzip member. */
export type Inflater = () => TransformStream<Uint8Array, Uint8Array>;

/**
 * Yields the inflated bytes; a piece is good until the next is asked for. A file that ends early is `TRUNCATED_DOWNLOAD`, one that is
 * no gzip `UPSTREAM`. Zeros after the end are padding, as GNU gzip takes them; other bytes there are `UPSTREAM`.
 */
export async function* inflateGzip(file: AsyncIterable<Bytes>, inflater: Inflater): AsyncGenerator<Bytes> {
  const members = createMemberQueue(inflater);
  const input = watch(file);
  const feeding = feed(input.pieces(), members);
  feeding.catch(() => undefined); // it is looked at below, when the members end
  try {
    for await (const member of members.all()) yield* member.output();
    await feeding;
  } catch (failure) {
    const isPastEnd = isGzip(input.start) && members.isPastEnd(failure);
    if (isPastEnd && input.failure === undefined) throw afterTheEnd(failure);
    throw input.failure ?? translate(failure, input.isRead && mayBeGzip(input.start), input.bytes);
  } finally {
    members.abort();
  }
  // Some inflaters take no bytes at all for a sound file.
  if (input.bytes < leastMemberBytes) throw translate(undefined, true, input.bytes);
}

/** Whether bytes begin as a gzip member does. */
export function isGzip(bytes: Bytes): boolean {
  return bytes[0] === headStart && bytes[1] === 0x8b;
}

const mayBeGzip = (start: Bytes) => start.length < 2 || isGzip(start);

/** How inflaters refuse what comes after a member: Node since 24, Node 22, Deno, workerd. Bun says nothing but that it failed. */
const pastEndWords = /trailing junk|incorrect header check|failed to write whole buffer|trailing bytes/i;

/** It came with the file: asking again would bring the same. */
function afterTheEnd(failure: unknown): UpstreamError {
  const message = "The download has other bytes after the end of the gzip file";
  return new UpstreamError(message, { unavailable: false }, { cause: foreignError(failure) });
}

function translate(failure: unknown, isCutShort: boolean, fileBytes: number): Error {
  const cause = foreignError(failure);
  if (isCutShort)
    return new TruncatedDownloadError("The gzip file ended before the image did", fileBytes, undefined, {
      cause,
    });
  // A later attempt may get valid bytes, so it counts as "unavailable".
  return new UpstreamError("The download is not a valid gzip file", { unavailable: true }, { cause });
}

/** Keeps apart what goes wrong with the file from what goes wrong with inflating it. */
function watch(file: AsyncIterable<Bytes>) {
  return {
    bytes: 0,
    start: new Uint8Array(0) as Bytes,
    isRead: false,
    failure: undefined as unknown,
    async *pieces(): AsyncGenerator<Bytes> {
      try {
        for await (const piece of file) {
          if (this.start.length < 2) this.start = concat(this.start, piece.slice(0, 2));
          this.bytes += piece.length;
          yield piece;
        }
        this.isRead = true;
      } catch (failure) {
        this.failure = failure;
        throw failure;
      }
    },
  };
}

const headBytes = 4; // magic (2), method, flags
const headStart = 0x1f;
const leastMemberBytes = 20; // 10 of header, 2 of data, 8 of trailer

async function feed(pieces: AsyncIterable<Bytes>, members: MemberQueue): Promise<void> {
  try {
    let member = members.open();
    let held: Bytes = new Uint8Array(0);
    let heldZeros = 0; // after these there may be nothing more: then they need not be the member's
    for await (const piece of pieces) {
      const bytes = concat(held, piece);
      held = bytes.subarray(0, 0);
      if (trailingZeros(bytes) === bytes.length) {
        heldZeros += bytes.length;
        continue;
      }
      await member.writeZeros(heldZeros);
      let sent = 0;
      // The first byte of all is the head of the member that is open; later ones may begin the next member.
      const from = member.isEmpty() ? 1 : 0;
      for (let at = findHead(bytes, from); at !== -1; at = findHead(bytes, at + 1)) {
        await member.write(bytes.subarray(sent, at));
        sent = at;
        if (!(await member.isComplete())) {
          member.isDoubtful = true;
          continue;
        }
        await member.end();
        member = members.open();
      }
      // The head of the next member may be cut in two: what may be its first bytes waits for the next piece.
      const cut = bytes.indexOf(headStart, Math.max(sent, bytes.length - headBytes + 1));
      heldZeros = trailingZeros(bytes);
      const end = cut === -1 ? bytes.length - heldZeros : cut;
      await member.write(bytes.subarray(sent, end));
      if (cut === -1) continue;
      heldZeros = 0;
      held = bytes.slice(cut);
    }
    await member.write(held);
    await endPadded(member, heldZeros);
  } catch (failure) {
    members.abort();
    throw failure;
  } finally {
    members.close();
  }
}

// A trailer has eight bytes, and the data before it may end in some zeros.
const maxOwnZeros = 32;

/** Ends a member that zeros follow: as many of them as make it complete are its own, the rest is padding. */
async function endPadded(member: Member, zeros: number): Promise<void> {
  let left = zeros;
  for (; left > 0 && zeros - left < maxOwnZeros && !(await member.isComplete()); left--)
    await member.writeZeros(1);
  if (left > 0 && !(await member.isComplete())) await member.writeZeros(left);
  await member.end();
}

function trailingZeros(bytes: Bytes): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.length - end;
}

function findHead(bytes: Bytes, from: number): number {
  for (let at = bytes.indexOf(headStart, from); at !== -1; at = bytes.indexOf(headStart, at + 1)) {
    if (at + headBytes > bytes.length) return -1;
    if (bytes[at + 1] === 0x8b && bytes[at + 2] === 8 && (bytes[at + 3]! & 0xe0) === 0) return at;
  }
  return -1;
}

/** Two runs of bytes as one; the very `tail` where `head` is empty. */
export function concat(head: Bytes, tail: Bytes): Bytes {
  if (head.length === 0) return tail;
  const joined = new Uint8Array(head.length + tail.length);
  joined.set(head);
  joined.set(tail, head.length);
  return joined;
}

type MemberQueue = ReturnType<typeof createMemberQueue>;

function createMemberQueue(inflater: Inflater) {
  const opened: Member[] = [];
  let isClosed = false;
  let notify = () => {};
  return {
    open(): Member {
      const member = createMember(inflater());
      opened.push(member);
      notify();
      return member;
    },
    close(): void {
      isClosed = true;
      notify();
    },
    abort(): void {
      for (const member of opened) member.abort();
    },
    /** Whether an inflater fails because its member had ended, and no head was seen that would explain what follows. */
    isPastEnd(failure: unknown): boolean {
      const [member] = opened;
      const { message, cause } = (failure ?? {}) as Partial<Error>;
      const words = `${message} ${(cause as Error | undefined)?.message}`;
      return member?.isLongEnough() === true && !member.isDoubtful && pastEndWords.test(words);
    },
    async *all(): AsyncGenerator<Member> {
      for (;;) {
        while (opened.length === 0 && !isClosed) await new Promise<void>((resolve) => (notify = resolve));
        const member = opened[0];
        if (!member) return;
        yield member;
        opened.shift();
      }
    },
  };
}

type Member = ReturnType<typeof createMember>;

const zeros: Bytes = new Uint8Array(64 * 1024);

// A write can expand at most 1032-fold; a difference beyond what may still be inside is no member's end.
const maxPendingBytes = 80 * 1024 * 1024;
// How long a wanted read may stay unanswered, all writes done, until it is sure that no more comes.
const settleMs = 250;

function createMember(stream: TransformStream<Uint8Array, Uint8Array>) {
  const isToFree = arePiecesOurs(stream.readable);
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  for (const closed of [writer.closed, reader.closed]) closed.catch(() => undefined);
  let tail: Bytes = new Uint8Array(0);
  let writtenBytes = 0;
  let inflatedBytes = 0;
  let isReadPending = false;
  let isAborted = false;
  let onRead = () => {};
  let lastWrite: Promise<unknown> = Promise.resolve();

  const pendingBytes = () =>
    (new DataView(tail.buffer, tail.byteOffset).getUint32(0, true) - inflatedBytes) >>> 0;

  return {
    /** What looked like the head of another member was taken for a part of this one. */
    isDoubtful: false,
    isEmpty: () => writtenBytes === 0,
    /** As long as a member is at least: it was one before it failed. */
    isLongEnough: () => writtenBytes >= leastMemberBytes,
    async writeZeros(count: number): Promise<void> {
      for (let left = count; left > 0; left -= zeros.length) await this.write(zeros.subarray(0, left));
    },
    async write(bytes: Bytes): Promise<void> {
      if (bytes.length === 0) return;
      writtenBytes += bytes.length;
      tail = (bytes.length >= 4 ? bytes : concat(tail, bytes)).slice(-4);
      await writer.ready;
      lastWrite = writer.write(bytes as Uint8Array<ArrayBuffer>);
      lastWrite.catch(() => undefined);
    },
    /** Whether all that was written is exactly one member. */
    async isComplete(): Promise<boolean> {
      if (writtenBytes < leastMemberBytes) return false;
      await lastWrite;
      // After an abort nobody reads any more. Without this check it would wait for ever.
      for (let quietMs = 0; quietMs < settleMs && !isAborted; ) {
        if (pendingBytes() === 0) return true;
        if (pendingBytes() > maxPendingBytes) return false;
        const before = inflatedBytes;
        await Promise.race([new Promise<void>((resolve) => (onRead = resolve)), sleep(10)]);
        quietMs = inflatedBytes === before && isReadPending ? quietMs + 10 : 0;
      }
      return false;
    },
    async end(): Promise<void> {
      await writer.close();
    },
    async *output(): AsyncGenerator<Bytes> {
      for (;;) {
        isReadPending = true;
        const { done, value } = await reader.read();
        isReadPending = false;
        if (done) return;
        inflatedBytes += value.length;
        onRead();
        yield value;
        if (isToFree) detachBuffer(value);
      }
    },
    abort(): void {
      isAborted = true;
      leaveInflater(writer, reader);
    },
  };
}
