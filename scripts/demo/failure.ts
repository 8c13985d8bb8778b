// What the demo says when it fails: a line that begins with the code where the failure was to be expected, else the stack.
import { isImageManagerError } from "../../src/core/index.ts";
import { UsageError } from "./options.ts";

/** The text to print. */
export function describeFailure(failure: unknown): string {
  if (failure instanceof UsageError) return failure.message;
  if (isImageManagerError(failure)) return `${failure.code}: ${oneLine(failure.message)}`;
  // Of the operating system, or an abort: the message says it all.
  if (failure instanceof Error && "code" in failure) return oneLine(failure.message);
  return failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
}

const oneLine = (text: string) => text.replaceAll(/\s*\n\s*/g, " ");
