// What every balena source must do, written once: any test runner on any runtime can host it (see `SourceContractHost`).
import { derivedCases } from "./source/derived.ts";
import { abortCases, errorCases } from "./source/failures.ts";
import { deviceTypeCases, identityCases, versionCases } from "./source/lookups.ts";
import { requestCases } from "./source/requests.ts";
import type { SourceContractHost } from "./source/support.ts";

export type { SourceContractApi, SourceContractHost } from "./source/support.ts";

/** Registers the contract with the host's runner. */
export function sourceContract(host: SourceContractHost): void {
  for (const [name, run] of Object.entries(cases)) {
    host.test(name, async () => {
      const api = await host.start();
      try {
        await run(api, host);
      } finally {
        await api.close();
      }
    });
  }
}

const cases = {
  ...identityCases,
  ...deviceTypeCases,
  ...versionCases,
  ...requestCases,
  ...derivedCases,
  ...errorCases,
  ...abortCases,
};
