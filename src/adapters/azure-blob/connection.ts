/** The connection to a container: the caller's client, or our own, which is made when it is first needed. */
import { monotonicMs } from "../../core/clock.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import { withinTime } from "../../core/waiting.ts";
import { missingPeer } from "../peer.ts";
import type { AzureContainerClient } from "./container.ts";
import { azureFailure, lateFailure } from "./failure.ts";
import { type AzureServer, secretsOf } from "./options.ts";
import { retryOptions } from "./retry.ts";

/** One call of the adapter. */
export interface Call {
  /** Aborts when the call is over, in whichever way. */
  readonly abortSignal: AbortSignal;
  /** Something has come. */
  progressed(): void;
}

/** What a call may say of itself. */
export interface CallOptions {
  /** Bytes that it sends. `fetch` does not tell how far they have come, so they get the time that a slow line takes. */
  readonly sentBytes?: number;
  /** Told when it gets on. */
  readonly onProgress?: (() => void) | undefined;
  /** Aborts when its answer is not wanted any more. */
  readonly signal?: AbortSignal | undefined;
}

/** Makes calls. Their errors contain no secrets. */
export type Ask = <T>(
  what: string,
  work: (container: AzureContainerClient, call: Call) => Promise<T>,
  options?: CallOptions,
) => Promise<T>;

/** 64 KiB a second. */
const sentBytesPerMs = 64;

/** Makes one; nothing is sent or imported before its first call. */
export function createConnection(server: AzureServer, timeoutMs: number): Ask {
  const secrets = secretsOf(server);
  let opening: Promise<AzureContainerClient> | undefined;

  return async (what, work, { sentBytes = 0, onProgress, signal } = {}) => {
    opening ??= openContainer(server);
    const container = await opening;
    const over = new AbortController();
    const leave = () => over.abort(signal?.reason);
    if (signal?.aborted) leave();
    signal?.addEventListener("abort", leave, { once: true });
    let dueMs = monotonicMs() + timeoutMs + sentBytes / sentBytesPerMs;
    const progressed = () => {
      dueMs = Math.max(dueMs, monotonicMs() + timeoutMs);
      onProgress?.();
    };
    try {
      return await withinTime(
        () => work(container, { abortSignal: over.signal, progressed }),
        () => dueMs - monotonicMs(),
        () => lateFailure(what, timeoutMs),
      );
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof InvalidArgumentError || isOurs(error)) throw error;
      throw azureFailure(what, error, secrets);
    } finally {
      signal?.removeEventListener("abort", leave);
      over.abort();
    }
  };
}

const isOurs = (error: unknown) =>
  error instanceof Error && ["TIMEOUT", "EFBIG"].includes(String((error as { code?: unknown }).code));

async function openContainer(server: AzureServer): Promise<AzureContainerClient> {
  if ("client" in server) return server.client;
  const { ContainerClient } = await import("@azure/storage-blob").catch(
    missingPeer("azureBlobAdapter", "@azure/storage-blob"),
  );
  if ("url" in server) return new ContainerClient(server.url, server.credential, { retryOptions });
  try {
    return new ContainerClient(server.connectionString, server.container, { retryOptions });
  } catch {
    // Its error may quote a part of it.
    throw new InvalidArgumentError('"connectionString" must be a connection string of Azure Storage');
  }
}
