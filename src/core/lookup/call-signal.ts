/** One signal for a call: aborted by the caller or by closing the manager. */
import type { ManagerContext } from "../context.ts";
import { InvalidArgumentError } from "../errors.ts";

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` for what is no signal. It may come back aborted. */
export function callSignal({ closing }: ManagerContext, signal: unknown): AbortSignal {
  if (signal === undefined) return closing;
  if (signal instanceof AbortSignal) return AbortSignal.any([signal, closing]);
  throw new InvalidArgumentError('"signal" must be an AbortSignal');
}
