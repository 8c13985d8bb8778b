/** JSON values as UTF-8 bytes, so that every value in the store goes in and out the same way. */
import { sha256HexOfText } from "../digest.ts";

// Neither keeps anything from one call to the next.
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export function encodeJson(value: unknown): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify(value));
}

/** The value; `undefined` for no bytes, or bytes that are no JSON. */
export function decodeJson(bytes: Uint8Array | undefined): unknown {
  if (!bytes) return undefined;
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return undefined;
  }
}

/** The same with a checksum over key and value. A value that was damaged, or moved to another key, counts as missing. */
export async function encodeSealed(key: string, value: object): Promise<Uint8Array<ArrayBuffer>> {
  return encodeJson({ ...value, seal: await sealOf(key, value) });
}

/** The value; `undefined` if the seal does not fit. */
export async function decodeSealed(key: string, bytes: Uint8Array | undefined): Promise<unknown> {
  const decoded = decodeJson(bytes);
  if (typeof decoded !== "object" || decoded === null) return undefined;
  const { seal, ...value } = decoded as Record<string, unknown>;
  // Engines parse deeper nesting than they can write again: nothing of ours is nested like that.
  const fitting = await sealOf(key, value).catch(() => undefined);
  return fitting !== undefined && seal === fitting ? value : undefined;
}

/** Members keep their order through JSON, so equal values make equal texts. */
async function sealOf(key: string, value: object): Promise<string> {
  return (await sha256HexOfText(`${key}\n${JSON.stringify(value)}`)).slice(0, 32);
}
