/**
 * Finds the account of a token. Only the API can say it, because anyone can write the claims in a token. If a token is bad, the API often
 * answers as for a guest, not with 401.
 */
import { sha256HexOfText } from "../../core/digest.ts";
import { isImageManagerError } from "../../core/errors.ts";
import type { SourceAccount, SourceOptions } from "../../core/types.ts";
import type { ApiClient } from "../balena-api/client.ts";

const path = "/actor/v1/whoami";
const action = "ask whose the token is";

/** The account of a token, which the API is asked about when it is confirmed. */
export async function accountOf(client: ApiClient, token: string): Promise<SourceAccount> {
  const digest = await sha256HexOfText(`${client.apiOrigin}\n${token}`);
  return {
    digest,
    confirm: async (options) => {
      const account = await whoIs(client, options);
      return account ?? `token-${digest.slice(0, 16)}`;
    },
  };
}

/**
 * Where nothing was found: a token that is refused may be why.
 *
 * @throws {UnauthorizedError} `UNAUTHORIZED`
 */
export async function assertTokenAccepted(client: ApiClient, options: SourceOptions): Promise<void> {
  if ((await client.currentToken(options.signal)) !== undefined) await whoIs(client, options);
}

/** `undefined` if the API accepts the token and names nobody, as older ones do. */
async function whoIs(client: ApiClient, options: SourceOptions): Promise<string | undefined> {
  try {
    return await client.ask({ action, path, ...options }, scopeIn);
  } catch (failure) {
    if (isImageManagerError(failure) && (failure as { status?: number }).status === 404) return undefined;
    throw failure;
  }
}

/** `user-<id>`, the same for all tokens of a user: a session's is renewed every day. */
function scopeIn(json: unknown): string | undefined {
  const { actorType, actorTypeId } = Object(json) as { actorType?: unknown; actorTypeId?: unknown };
  const isNamed =
    /^[a-z]{1,32}$/.test(String(actorType)) && /^[A-Za-z0-9_-]{1,64}$/.test(String(actorTypeId));
  return isNamed ? `${actorType}-${actorTypeId}` : undefined;
}
