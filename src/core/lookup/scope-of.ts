/**
 * Whose images a call means, where it does not say: those of the source's account, once the upstream has confirmed whose its credentials
 * are. Until then credentials open nothing: anybody can write a token that names somebody else.
 */
import type { ManagerContext } from "../context.ts";
import { isImageManagerError } from "../errors.ts";
import { assertScope } from "../identity.ts";
import { forgetAccount, readAccount, writeAccount } from "../store/accounts.ts";
import { orStoreFault } from "../store-fault.ts";
import type { SourceAccount } from "../types.ts";
import { wholeLookUpMs, withinIdleTime } from "../upstream/look-up-time.ts";
import { createRetries, withRetries } from "../upstream/retry.ts";

/** Accounts that a manager remembers, besides those in the store: a server may see a token for each of its users. */
const maxAccounts = 1_000;

/** What is remembered of credentials whose images are nobody's. It is no scope. */
const nobodys = "";

/** `mayAsk`: else credentials that were never confirmed have a scope of their own, in which there is nothing. */
export async function scopeOf(
  context: ManagerContext,
  signal: AbortSignal,
  mayAsk = true,
): Promise<string | undefined> {
  const account = await context.source.scope(signal);
  if (account === undefined || typeof account === "string") return account;
  const { digest } = account;
  const known = context.accounts.get(digest) ?? (await recallAccount(context, digest));
  if (known !== undefined) return remembered(context, digest, known) || undefined;
  if (!mayAsk) return `unconfirmed-${digest.slice(0, 16)}`;
  return (await confirmed(context, account, signal)) || undefined;
}

/** After the upstream has refused the credentials of a scope: they are to be confirmed again. */
export async function forgetScope(context: ManagerContext, scope: string | undefined): Promise<void> {
  const digests = [...context.accounts]
    .filter(([, known]) => known === (scope ?? nobodys))
    .map(([digest]) => digest);
  for (const digest of digests) {
    context.accounts.delete(digest);
    await orStoreFault(context, "remove", () => forgetAccount(context.store, digest));
  }
}

async function confirmed(
  context: ManagerContext,
  account: SourceAccount,
  signal: AbortSignal,
): Promise<string> {
  const scope = await withinIdleTime(wholeLookUpMs(context.lookUpTimeoutMs), signal, ({ signal: timed }) =>
    withRetries(createRetries(context.retry), timed, () => context.source.confirm(account, timed)),
  );
  assertScope(scope);
  const known = scope ?? nobodys;
  await orStoreFault(context, "write", () => writeAccount(context.store, account.digest, known));
  return remembered(context, account.digest, known);
}

async function recallAccount({ store, emit }: ManagerContext, digest: string): Promise<string | undefined> {
  return orStoreFault({ emit }, "read", () => readAccount(store, digest));
}

function remembered({ accounts }: ManagerContext, digest: string, scope: string): string {
  if (accounts.size >= maxAccounts && !accounts.has(digest)) accounts.clear();
  accounts.set(digest, scope);
  return scope;
}

/** Whether an upstream has refused credentials. */
export function isRefusedLogin(failure: unknown): boolean {
  return isImageManagerError(failure) && failure.code === "UNAUTHORIZED";
}
