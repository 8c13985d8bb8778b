/** Reads the balena SDK's errors about a login. It compares codes, because each copy of the SDK has its own classes. */
import type { ImageManagerError } from "../../core/errors.ts";
import { type Failure, failureError, unauthorizedError } from "../balena/failure.ts";

/** The library's error for one that the SDK threw. */
export function sdkFailureError(failure: Failure): ImageManagerError {
  const code = codeOf(failure.cause);
  const isRefusal = code === "BalenaExpiredToken" || code === "BalenaMalformedToken";
  return isRefusal ? unauthorizedError(failure) : failureError(failure);
}

/** Whether the SDK says that nobody is logged in. */
export function isNotLoggedIn(error: unknown): boolean {
  return codeOf(error) === "BalenaNotLoggedIn";
}

function codeOf(error: unknown): unknown {
  return (Object(error) as { code?: unknown }).code;
}
