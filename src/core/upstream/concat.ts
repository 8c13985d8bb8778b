/** Joins bytes. */

type Bytes = Uint8Array<ArrayBufferLike>;

/** Joins two runs of bytes. Returns `tail` itself if `head` is empty. */
export function concat(head: Bytes, tail: Bytes): Bytes {
  if (head.length === 0) return tail;
  const joined = new Uint8Array(head.length + tail.length);
  joined.set(head);
  joined.set(tail, head.length);
  return joined;
}
