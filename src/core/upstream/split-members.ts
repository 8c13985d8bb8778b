/**
 * Cuts a gzip file into its members. No inflater tells at which byte a member ended. So each place that looks like the start of a member is
 * checked: it is one if the member before it is complete.
 */
import { concat } from "./concat.ts";
import type { Member, MemberQueue } from "./gzip-member.ts";

type Bytes = Uint8Array<ArrayBufferLike>;

/** Whether bytes begin as a gzip member does. */
export function isGzip(bytes: Bytes): boolean {
  return bytes[0] === headStart && bytes[1] === 0x8b;
}

const headBytes = 4; // magic (2), method, flags
const headStart = 0x1f;

/** Writes the file into a queue of members, and closes the queue. */
export async function splitMembers(pieces: AsyncIterable<Bytes>, members: MemberQueue): Promise<void> {
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
