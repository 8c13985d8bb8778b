/** What a balena token tells about the account, without asking the network. */
import { sha256HexOfText } from "../../core/digest.ts";

/** Whether a value can go into an Authorization header as it is; what can't would be quoted in `fetch`'s own error. */
export function isToken(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e]+$/.test(value);
}

/**
 * The scope that a token's images belong to: `user-<id>` for a session token (a JWT with an `id` claim), which stays
 * the same when the token is renewed; `token-<16 hex of its SHA-256>` for an API key.
 *
 * The claim is not verified: whoever can forge one can read the store itself.
 *
 * @example
 * ```ts
 * await scopeOfToken(apiKey); // "token-3f0a7c5d9b1e2f48"
 * ```
 */
export async function scopeOfToken(token: string): Promise<string> {
  const id = accountId(token);
  return id === undefined ? `token-${(await sha256HexOfText(token)).slice(0, 16)}` : `user-${id}`;
}

function accountId(token: string): string | undefined {
  const id = String(claims(token)?.["id"] ?? "");
  return /^[A-Za-z0-9_-]{1,64}$/.test(id) ? id : undefined;
}

function claims(token: string): Record<string, unknown> | undefined {
  const [, payload, signature] = token.split(".");
  if (payload === undefined || signature === undefined) return undefined;
  try {
    // Read as Latin-1, for only `id` matters: UTF-8 in other claims comes out garbled, but is still JSON.
    return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return undefined;
  }
}
