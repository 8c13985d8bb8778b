/** Ends an inflater early without a crash of the process. */
import { startTimer } from "./clock.ts";

/**
 * Ends both sides of an inflater. Node 22 and 24 die of "Controller is already closed" if the readable side of a
 * `DecompressionStream` is cancelled while an answer to its last read is still due. That is due before the next task, so the cancel
 * waits for one; the abort is harmless, but need not reach the other side of every inflater.
 */
export function leaveInflater(
  writer: WritableStreamDefaultWriter,
  reader: ReadableStreamDefaultReader,
): void {
  writer.abort().catch(() => undefined);
  startTimer(() => reader.cancel().catch(() => undefined), 0);
}
