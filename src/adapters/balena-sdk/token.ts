/** Reads the current token of an SDK's login. It renews an old token, as the SDK does before each of its requests. */
import { wallMs } from "../../core/clock.ts";
import { isImageManagerError, UnauthorizedError } from "../../core/errors.ts";
import { isToken } from "../balena/token.ts";
import type { SdkConnection } from "./connection.ts";
import type { BalenaSdk } from "./sdk.ts";
import { isNotLoggedIn, sdkFailureError } from "./sdk-failure.ts";

/** The SDK's own interval: a session lasts for days. */
const renewAfterMs = 24 * 60 * 60 * 1000;

/**
 * A function that says the token, `undefined` if nobody is logged in.
 *
 * @throws {UnauthorizedError} `UNAUTHORIZED` for a login that is not usable.
 */
export function tokenReader({ apiOrigin, open }: SdkConnection): () => Promise<string | undefined> {
  // Each is tried to be renewed once: an API that does not answer would hold up every call.
  const tried = new Set<string>();
  return async () => {
    let token: string | undefined;
    try {
      const sdk = await open();
      token = await tokenOf(sdk);
      if (token !== undefined && isDue(token) && !tried.has(token)) {
        tried.add(token);
        token = await renewed(sdk, apiOrigin, token);
      }
    } catch (cause) {
      if (isImageManagerError(cause)) throw cause; // the SDK is not installed
      throw sdkFailureError({ apiOrigin, action: "use the stored login", token, cause });
    }
    if (token === undefined || isToken(token)) return token;
    // `fetch` would refuse such a header with an error that quotes it.
    throw new UnauthorizedError("The stored login has no usable token: sign in again");
  };
}

async function tokenOf(sdk: BalenaSdk): Promise<string | undefined> {
  try {
    return await sdk.auth.getToken();
  } catch (failure) {
    if (isNotLoggedIn(failure)) return undefined;
    throw failure;
  }
}

/** A token that can't be renewed may still be good: the API says whether it is. */
async function renewed(sdk: BalenaSdk, baseUrl: string, token: string): Promise<string> {
  try {
    const request = sdk.request as { refreshToken(o: { baseUrl: string }): Promise<string> };
    return await request.refreshToken({ baseUrl });
  } catch {
    return token;
  }
}

/** By the time of issue in the token, which is not verified: to renew too often does no harm. */
function isDue(token: string): boolean {
  const [, payload] = token.split(".");
  try {
    const { iat } = JSON.parse(atob((payload ?? "").replaceAll("-", "+").replaceAll("_", "/")));
    return typeof iat === "number" && wallMs() - iat * 1000 >= renewAfterMs;
  } catch {
    return false; // an API key, which does not age
  }
}
