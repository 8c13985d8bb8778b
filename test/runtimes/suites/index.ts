// Everything that runs on every runtime: the store and source contracts, the manager's suite and that of what is left, over the built package.
import { balenaApiSource } from "../../../src/adapters/balena-api/index.ts";
import { sourceContract } from "../../contract/source-contract.ts";
import { storeContract } from "../../contract/store-contract.ts";
import { assert, deepEqual, print } from "./assert.ts";
import { encodingSuite } from "./encodings.ts";
import { type RuntimeHost, type SourceFactory, within } from "./host.ts";
import { managerSuite } from "./manager.ts";
import { nothingLeftSuite } from "./nothing-left.ts";
import { startRemoteApi } from "./remote-api.ts";

/** Registers all suites; those that the runtime can't run as one skipped test with the reason. */
export async function registerSuites(host: RuntimeHost): Promise<void> {
  for (const [name, create] of Object.entries(host.stores)) {
    const [store, manager, left, encodings] = ["store", "manager", "left", "encodings"].map((suite) =>
      within(host, `${suite} ${name}`),
    );
    if (typeof create === "string") {
      for (const suite of [store, manager, left, encodings]) suite!.skip("all", create);
      continue;
    }
    await storeContract({ ...store!, equal: deepEqual, create });
    managerSuite({ ...manager!, controlUrl: host.controlUrl, create });
    nothingLeftSuite({ ...host, ...left!, create });
    encodingSuite({ ...host, ...encodings!, create });
  }
  registerSource(host, "balena-api", balenaApiSource);
  registerSource(host, "balena-sdk", host.sdkSource);
}

function registerSource(host: RuntimeHost, name: string, source: SourceFactory | string): void {
  const { test, skip } = within(host, `source ${name}`);
  if (typeof source === "string") skip("all", source);
  else sourceContract({ test, assert, inspect: print, start: () => startRemoteApi(host.controlUrl), source });
}
