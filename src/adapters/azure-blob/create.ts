/** Writes a blob only if there is none. */
import { randomName } from "../../core/clock.ts";
import type { CreateResult } from "../../core/types.ts";
import type { Ask } from "./connection.ts";
import { isRefusedWith } from "./failure.ts";

/** Writes a blob unless there is one of that name: `If-None-Match: *`, which Azure decides for one of several writers. */
export function createBlob(ask: Ask, name: string, bytes: Uint8Array<ArrayBuffer>): Promise<CreateResult> {
  // The client sends it again if an answer got lost. By this mark a writer knows its own blob.
  const metadata = { writer: randomName() };
  return ask(
    `a conditional write of "${name}"`,
    async (container, { abortSignal }) => {
      const blob = container.getBlockBlobClient(name);
      try {
        await blob.upload(bytes, bytes.length, { abortSignal, conditions: { ifNoneMatch: "*" }, metadata });
        return "created";
      } catch (error) {
        if (!isRefusedWith(error, "BlobAlreadyExists", "ConditionNotMet")) throw error;
        const found = await blob.getProperties({ abortSignal }).catch(() => undefined);
        return found?.metadata?.["writer"] === metadata.writer ? "created" : "exists";
      }
    },
    { sentBytes: bytes.length },
  );
}
