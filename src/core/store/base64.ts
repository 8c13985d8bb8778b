/** Bytes as text, for drivers that store only strings. It uses `btoa` and `atob`, because the edge has no Buffer. */

const marker = "base64:";
// String.fromCharCode takes its bytes as arguments, and engines limit how many those may be.
const sliceBytes = 0x8000;

/** `base64:` and the bytes, as unstorage's `setItemRaw` writes them. */
export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let start = 0; start < bytes.length; start += sliceBytes) {
    binary += String.fromCharCode(...bytes.subarray(start, start + sliceBytes));
  }
  return marker + btoa(binary);
}

/** The bytes of such a text; `undefined` for anything else. */
export function fromBase64(text: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (typeof text !== "string" || !text.startsWith(marker)) return undefined;
  try {
    return Uint8Array.from(atob(text.slice(marker.length)), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
