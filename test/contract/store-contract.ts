/** What every store adapter must do, written once: any test runner on any runtime can host it. */
import { keyCases } from "./store-contract-keys.ts";
import type { Store, StoreContractHost } from "./store-contract-support.ts";
import { valueCases } from "./store-contract-values.ts";

export type { StoreContractHost } from "./store-contract-support.ts";

/** Registers a test for each thing that an adapter must do; what it claims to be able to do, it must do too. */
export async function storeContract(host: StoreContractHost): Promise<void> {
  const probe = await createStore(host);
  for (const { name, run, skip } of [...valueCases, ...keyCases]) {
    const reason = skip?.(probe);
    if (reason === undefined) host.test(name, () => withStore(host, (store) => run(store, host)));
    else host.skip(name, reason);
  }
  await probe.dispose?.();
}

async function createStore(host: StoreContractHost): Promise<Store> {
  const driver = await host.create();
  for (const method of ["getItemRaw", "setItemRaw", "removeItem"] as const) {
    if (driver[method] === undefined) throw new Error(`A store needs ${method}`);
  }
  return driver as Store;
}

async function withStore(host: StoreContractHost, run: (store: Store) => Promise<void>): Promise<void> {
  const store = await createStore(host);
  try {
    await run(store);
  } finally {
    await store.dispose?.();
  }
}
