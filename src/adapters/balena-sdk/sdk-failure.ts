/** Reads the balena SDK's errors; by their codes, for each copy of the SDK has its own classes. */
import { DeviceTypeNotFoundError, type ImageManagerError, InvalidArgumentError } from "../../core/errors.ts";
import { foreignError } from "../../core/foreign-error.ts";
import { type Failure, failureError, unauthorizedError } from "../balena/failure.ts";

/** The library's error for one that the SDK threw. */
export function sdkFailureError(
  context: Omit<Failure, "status" | "headers" | "isNonsense">,
): ImageManagerError {
  const { code, status, headers } = read(context.cause);
  const failure = { ...context, status, headers, isNonsense: isNonsense(context.cause) };
  switch (code) {
    // An anonymous request that was answered 401.
    case "BalenaNotLoggedIn":
      return unauthorizedError({ ...failure, status: 401 });
    case "BalenaExpiredToken":
    case "BalenaMalformedToken":
      return unauthorizedError(failure);
    case "BalenaInvalidDeviceType":
      if (context.deviceType === undefined) return failureError(failure);
      return new DeviceTypeNotFoundError(context.deviceType, {
        cause: foreignError(context.cause, context.token === undefined ? [] : [context.token]),
      });
    default:
      return failureError(failure);
  }
}

/** Whether the SDK says that nobody is logged in. */
export function isNotLoggedIn(error: unknown): boolean {
  return read(error).code === "BalenaNotLoggedIn";
}

/**
 * Whether what failed is reading the answer: the SDK trips over a wrong shape with bare errors, whereas those of the
 * network carry a request, a cause or a code.
 */
function isNonsense(error: unknown): boolean {
  if (error instanceof InvalidArgumentError) return true;
  return (
    error instanceof Error && error.cause === undefined && !("requestOptions" in error) && !("code" in error)
  );
}

interface SdkFacts {
  readonly code?: unknown;
  readonly status?: number | undefined;
  readonly headers?: Headers | undefined;
}

function read(error: unknown): SdkFacts {
  if (!(error instanceof Error)) return {};
  const { code, statusCode, responseHeaders } = error as Error & {
    code?: unknown;
    statusCode?: unknown;
    responseHeaders?: Headers;
  };
  return { code, status: typeof statusCode === "number" ? statusCode : undefined, headers: responseHeaders };
}
