/** Remembers the account of credentials that an upstream has accepted. So they give access to the account's images off-line too. */
import type { ByteStore } from "./byte-store.ts";
import { decodeSealed, encodeSealed } from "./json.ts";
import { accountKey } from "./keys.ts";

/** The scope of credentials with this digest; garbage counts as nothing. */
export async function readAccount(store: ByteStore, digest: string): Promise<string | undefined> {
  const key = accountKey(digest);
  const value = (await decodeSealed(key, await store.read(key))) as { scope?: unknown } | undefined;
  return typeof value?.scope === "string" ? value.scope : undefined;
}

/** Remembers it. */
export async function writeAccount(store: ByteStore, digest: string, scope: string): Promise<void> {
  const key = accountKey(digest);
  await store.write(key, await encodeSealed(key, { scope }));
}

/** The upstream does not accept them any more. */
export async function forgetAccount(store: ByteStore, digest: string): Promise<void> {
  await store.remove(accountKey(digest));
}
