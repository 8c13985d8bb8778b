/** The tiered store keeps the contract of every store. */
import { describe } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { tieredAdapter } from "../../../src/adapters/tiered/index.ts";
import { storeContract } from "../../contract/store-contract.ts";
import { contractHost } from "../../support/contract-host.ts";

describe.each([false, true])("farReadOnly: %s", async (farReadOnly) => {
  await storeContract({
    ...contractHost,
    create: () => tieredAdapter({ near: memoryAdapter(), far: memoryAdapter(), farReadOnly }),
  });
});
