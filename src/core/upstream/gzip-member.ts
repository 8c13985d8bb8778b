/**
 * The members of a gzip file, each on its way through an inflater that does not tell at which byte its member ends. A member is complete if the
 * last four bytes that were written (ISIZE, RFC 1952) equal what has been inflated.
 */

import { leaveInflater } from "../leave-inflater.ts";
import { arePiecesOurs, detachBuffer } from "../memory/free.ts";
import { sleep } from "../waiting.ts";
import { concat } from "./concat.ts";

type Bytes = Uint8Array<ArrayBufferLike>;

/** Makes a decompressor of one gzip member. */
export type Inflater = () => TransformStream<Uint8Array, Uint8Array>;

/** The least bytes of a member: 10 of header, 2 of data, 8 of trailer. */
export const leastMemberBytes = 20;

/** How inflaters refuse what comes after a member: Node since 24, Node 22, Deno, workerd. Bun says nothing but that it failed. */
const pastEndWords = /trailing junk|incorrect header check|failed to write whole buffer|trailing bytes/i;

export type MemberQueue = ReturnType<typeof createMemberQueue>;

/** Makes a queue of members: one side opens them, the other one reads them in order. */
export function createMemberQueue(inflater: Inflater) {
  const members: Member[] = [];
  let isClosed = false;
  let notify = () => {};
  return {
    open(): Member {
      const member = createMember(inflater());
      members.push(member);
      notify();
      return member;
    },
    close(): void {
      isClosed = true;
      notify();
    },
    abort(): void {
      for (const member of members) member.abort();
    },
    /** Whether an inflater fails because its member had ended, and no head was seen that would explain what follows. */
    isPastEnd(failure: unknown): boolean {
      const [member] = members;
      const { message, cause } = (failure ?? {}) as Partial<Error>;
      const words = `${message} ${(cause as Error | undefined)?.message}`;
      return member?.isLongEnough() === true && !member.isDoubtful && pastEndWords.test(words);
    },
    async *all(): AsyncGenerator<Member> {
      for (;;) {
        while (members.length === 0 && !isClosed) await new Promise<void>((resolve) => (notify = resolve));
        const member = members[0];
        if (!member) return;
        yield member;
        members.shift();
      }
    },
  };
}

export type Member = ReturnType<typeof createMember>;

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
