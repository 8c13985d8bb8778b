/** Writes objects only if they do not exist, if the server supports that. */
import type { CreateResult } from "../../core/types.ts";
import type { S3Client } from "./client.ts";
import { deleteObject } from "./delete.ts";
import type { S3Answer } from "./exchange.ts";
import { isRefusedWith } from "./failure.ts";
import { scratchName } from "./object-name.ts";

/** Writes an object unless there is one of that name. */
export type CreateObject = (name: string, bytes: Uint8Array<ArrayBuffer>) => Promise<CreateResult>;

/**
 * Makes a {@link CreateObject}. With its first call it finds out what the server makes of `If-None-Match: *`, by writing
 * an object of a scratch name twice: some servers refuse the header, and some ignore it and would let everybody win.
 */
export function createObjectCreator(ask: S3Client, keyPrefix: string): CreateObject {
  let support: Promise<boolean> | undefined;
  return async (name, bytes) => {
    support ??= isConditionKept(ask, scratchName(keyPrefix)).catch((error: unknown) => {
      // A fault says nothing about the server's abilities: ask again next time.
      support = undefined;
      throw error;
    });
    if (!(await support)) return "unsupported";
    const { outcome, attempts } = await putIfAbsent(ask, name, bytes);
    // An earlier attempt, whose answer got lost, may be what it found there.
    if (outcome === "exists" && attempts > 1 && (await holds(ask, name, bytes))) return "created";
    return outcome;
  };
}

async function isConditionKept(ask: S3Client, scratch: string): Promise<boolean> {
  const write = async () => (await putIfAbsent(ask, scratch, new Uint8Array(1))).outcome;
  const first = await write();
  if (first === "unsupported") return false;
  try {
    return first === "exists" || (await write()) === "exists";
  } finally {
    // Left behind it does no harm: no listing shows it.
    await deleteObject(ask, scratch).catch(() => undefined);
  }
}

interface Put {
  readonly outcome: CreateResult;
  readonly attempts: number;
}

async function putIfAbsent(ask: S3Client, name: string, body: Uint8Array<ArrayBuffer>): Promise<Put> {
  try {
    const { attempts } = await ask({ method: "PUT", name, headers: { "if-none-match": "*" }, body });
    return { outcome: "created", attempts };
  } catch (error) {
    const attempts = (error as { attempts?: number }).attempts ?? 1;
    // A race that was lost is 412 or, if both came at once, 409.
    if (isRefusedWith(error, 409, 412)) return { outcome: "exists", attempts };
    if (isRefusedWith(error, 501, "NotImplemented")) return { outcome: "unsupported", attempts };
    throw error;
  }
}

async function holds(ask: S3Client, name: string, bytes: Uint8Array): Promise<boolean> {
  const found = await ask({ method: "GET", name, maxBytes: bytes.length }).catch(
    (error: unknown): Pick<S3Answer, "bytes" | "isWhole"> => {
      if (isRefusedWith(error, "NoSuchKey")) return { bytes: new Uint8Array(), isWhole: true };
      throw error;
    },
  );
  if (!found.isWhole || found.bytes.length !== bytes.length) return false;
  return found.bytes.every((byte, index) => byte === bytes[index]);
}
