// A loopback balena API that runs in the parent process, steered by requests: no runtime but Node could host it.
import type { SourceContractApi } from "../../contract/source-contract.ts";
import type { DownloadFaults } from "../../support/balena-api/faults.ts";

/** What the parent tells of an API that it started. */
export interface RemoteApiFacts {
  readonly id: string;
  readonly url: string;
  readonly filesUrl: string;
  readonly token: string;
  readonly imageBytes: number;
}

/** A request as the API logged it. */
export interface RemoteRequest {
  readonly listener: "api" | "files";
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** The calls that the parent answers, by name. */
export interface RemoteCalls {
  start(): Promise<RemoteApiFacts>;
  addRelease: SourceContractApi["addRelease"];
  failMetadata: SourceContractApi["failMetadata"];
  delayMetadata: SourceContractApi["delayMetadata"];
  takeRequests(): Promise<readonly RemoteRequest[]>;
  close(): Promise<void>;
  setFaults(faults: Partial<Omit<DownloadFaults, "reset" | "lastModified" | "date">>): Promise<void>;
  counters(): Promise<{ transfers: number; downloads: number; notModified: number; openConnections: number }>;
  sha256(deviceType: string, version: string, variant?: Record<string, boolean>): Promise<string>;
}

/** The API as suites use it. */
export type RemoteApi = RemoteApiFacts & Omit<RemoteCalls, "start">;

/** Has the parent start an API of the caller's own. */
export async function startRemoteApi(controlUrl: string): Promise<RemoteApi> {
  const facts = (await call(controlUrl, { method: "start", args: [] })) as RemoteApiFacts;
  const remote =
    (method: string) =>
    (...args: unknown[]) =>
      call(controlUrl, { id: facts.id, method, args });
  const calls = Object.fromEntries(methods.map((method) => [method, remote(method)]));
  return { ...facts, ...(calls as unknown as Omit<RemoteCalls, "start">) };
}

const methods: readonly Exclude<keyof RemoteCalls, "start">[] = [
  ...(["addRelease", "failMetadata", "delayMetadata", "takeRequests", "close"] as const),
  ...(["setFaults", "counters", "sha256"] as const),
];

async function call(controlUrl: string, message: object): Promise<unknown> {
  const response = await fetch(controlUrl, { method: "POST", body: JSON.stringify(message) });
  const { result, error } = (await response.json()) as { result?: unknown; error?: string };
  if (error !== undefined) throw new Error(`The parent process failed: ${error}`);
  return result;
}
