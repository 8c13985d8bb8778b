/** Calls the far store within a time limit, and notes when it is away. */
import { monotonicMs } from "../../core/clock.ts";
import { isImageManagerError, StoreError } from "../../core/errors.ts";
import { createCircuitBreaker, type StoreOperation } from "../../core/store/circuit-breaker.ts";
import { withinTime } from "../../core/waiting.ts";

/** The way to the far store. */
export interface FarLink {
  /** Whether it is not asked at present. */
  readonly isAway: boolean;
  /**
   * Makes a call. `run` is told how to report progress; a call without progress for the time limit is over.
   * @throws {StoreError} `STORE` at once if the far store is away; else what the call fails with.
   */
  call<T>(
    operation: StoreOperation,
    run: (onProgress: () => void) => Promise<T>,
    options?: FarCall,
  ): Promise<T>;
}

/** How a call is made. */
export interface FarCall {
  /** Most time without progress. Default: the link's limit. */
  readonly limitMs?: number | undefined;
  /** A call that its caller gave up says nothing about the store. */
  readonly signal?: AbortSignal | undefined;
}

/** What the link needs. */
export interface FarLinkOptions {
  readonly timeoutMs: number;
  /** A harmless call of that kind, which settles if the store answers. */
  probe(operation: StoreOperation): Promise<unknown>;
}

/** Makes the link. It is up until a call fails. */
export function createFarLink({ timeoutMs, probe }: FarLinkOptions): FarLink {
  const circuit = createCircuitBreaker({
    timeoutMs,
    // A failure is no answer here: the near store can do without the far one, so it waits for a sound one.
    probe: (operation) => probe(operation).catch(() => new Promise(() => undefined)),
    onBack: () => undefined,
  });

  return {
    get isAway() {
      // Each is asked, because each is tried out when it is asked: a site that only reads must see that it can write again.
      const away = (["read", "list", "write"] as const).map((operation) => {
        try {
          circuit.assertClosed(operation);
          return false;
        } catch {
          return true;
        }
      });
      return away.includes(true);
    },
    async call(operation, run, { limitMs = timeoutMs, signal } = {}) {
      circuit.assertClosed(operation);
      const startedMs = monotonicMs();
      let lastMs = startedMs;
      const onProgress = () => {
        lastMs = monotonicMs();
      };
      const leftMs = () => limitMs - (monotonicMs() - lastMs);
      const onLate = () => new StoreError(`The far store did not answer within ${Math.round(limitMs)} ms`);
      try {
        const value = await withinTime(() => run(onProgress), leftMs, onLate);
        circuit.answered(operation, startedMs);
        return value;
      } catch (failure) {
        if (!signal?.aborted && !isOurMistake(failure)) circuit.trip(operation);
        throw failure;
      }
    },
  };
}

const isOurMistake = (failure: unknown): boolean =>
  isImageManagerError(failure) && failure.code === "INVALID_ARGUMENT";
