/** Asks the caller's `edit` what is to be laid over the image of a request. */
import { isImageManagerError } from "../errors.ts";
import { foreignError } from "../foreign-error.ts";
import type { ImageEdit } from "../types.ts";
import type { Asked } from "./asked.ts";
import type { HandlerContext } from "./options.ts";
import { HttpProblem } from "./problem.ts";

/** A `Response` is the answer. */
export async function editOf(
  { edit }: HandlerContext,
  asked: Asked,
): Promise<ImageEdit | Response | undefined> {
  if (!edit) return undefined;
  const answer = await answerOf(() => edit(asked.copy()));
  const isEdit = answer === undefined || answer instanceof Response || typeof answer === "function";
  if (isEdit) return answer as ImageEdit | Response | undefined;
  throw new Error("edit returned neither an ImageEdit nor a Response");
}

/** The client may be told what the library finds wrong, and that its JSON is none; not what else fails. */
async function answerOf(ask: () => unknown): Promise<unknown> {
  try {
    return await ask();
  } catch (cause) {
    if (isImageManagerError(cause)) throw cause;
    if (cause instanceof SyntaxError) throw new HttpProblem(400, "The body can't be read.");
    throw new Error("edit failed", { cause: foreignError(cause) });
  }
}
