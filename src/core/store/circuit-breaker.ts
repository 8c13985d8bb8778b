/**
 * A circuit breaker: it avoids a store that did not answer in time, for a growing time. So a store that hangs delays one get, but not the gets after it.
 * Meanwhile a background call tests whether the store answers again. Only one such call runs at a time, and nobody waits for it.
 */
import { monotonicMs } from "../clock.ts";
import { StoreError } from "../errors.ts";

/** What a store can be asked. */
export type StoreOperation = "read" | "write" | "remove" | "create" | "list";

/** Says when a store is not to be asked. */
export interface CircuitBreaker {
  /** @throws {StoreError} `STORE` if the store is left alone. */
  assertClosed(operation: StoreOperation): void;
  /** Whether nothing is read at present. */
  readonly isOpen: boolean;
  /** A call was not answered in time. */
  trip(operation: StoreOperation): void;
  /** A call that began then was answered in time. */
  answered(operation: StoreOperation, startedMs: number): void;
}

/** How to ask, and what to call. */
export interface CircuitBreakerOptions {
  /** How long an answer may take; and the first while. */
  readonly timeoutMs: number;
  /** Asks for a trial. */
  probe(operation: StoreOperation): Promise<unknown>;
  onBack(operation: StoreOperation, durationMs: number): void;
}

const longestMs = 5 * 60 * 1000;

const leftAlone = new WeakSet<object>();

/** Whether an error only says that the store is avoided. The cause was reported when that began. */
export function isLeftAlone(failure: unknown): boolean {
  return typeof failure === "object" && failure !== null && leftAlone.has(failure);
}

/** A part of a store that may hang while another one answers. */
type Part = "reading" | "writing" | "listing";

const partOf = {
  read: "reading",
  write: "writing",
  remove: "writing",
  create: "writing",
  list: "listing",
} as const;
/** A store that can't be read is not written either. Whether it can be written says nothing about reading. */
const neededFor: Record<Part, readonly Part[]> = {
  reading: ["reading"],
  writing: ["reading", "writing"],
  listing: ["reading", "listing"],
};

interface Pause {
  /** The call that hung, which a trial repeats. */
  readonly operation: StoreOperation;
  readonly begunMs: number;
  delayMs: number;
  untilMs: number;
  trialMs: number | undefined;
}

/** Makes one. */
export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const pauses = new Map<Part, Pause>();
  const lastPauses = new Map<Part, { delayMs: number; endedMs: number }>();

  const end = (part: Part, { operation, begunMs, delayMs }: Pause) => {
    pauses.delete(part);
    lastPauses.set(part, { delayMs, endedMs: monotonicMs() });
    options.onBack(operation, monotonicMs() - begunMs);
  };

  const prolong = (pause: Pause) => {
    pause.trialMs = undefined;
    pause.delayMs = Math.min(2 * pause.delayMs, longestMs);
    pause.untilMs = monotonicMs() + pause.delayMs;
  };

  const tryOut = (part: Part, pause: Pause) => {
    const startedMs = monotonicMs();
    pause.trialMs = startedMs;
    const settled = () => {
      const isInTime = monotonicMs() - startedMs <= options.timeoutMs;
      if (isInTime && pauses.get(part) === pause && pause.trialMs === startedMs) end(part, pause);
    };
    // An answer that is a fault is an answer: the store does not hang.
    options.probe(pause.operation).then(settled, settled);
  };

  /** There is no timer: each call checks whether it is time. */
  const lookAfter = (part: Part, pause: Pause) => {
    const nowMs = monotonicMs();
    if (pause.trialMs !== undefined) {
      if (nowMs - pause.trialMs > options.timeoutMs) prolong(pause);
    } else if (nowMs >= pause.untilMs) tryOut(part, pause);
  };

  return {
    get isOpen() {
      return pauses.has("reading");
    },
    assertClosed(operation) {
      for (const part of neededFor[partOf[operation]]) {
        const pause = pauses.get(part);
        if (!pause) continue;
        lookAfter(part, pause);
        const failure = new StoreError(
          `The store is not used for a while, because it did not finish a ${pause.operation} in time`,
        );
        leftAlone.add(failure);
        throw failure;
      }
    },
    trip(operation) {
      const part = partOf[operation];
      if (pauses.has(part)) return;
      const last = lastPauses.get(part);
      const isSoon = last && monotonicMs() - last.endedMs < 10 * last.delayMs;
      const delayMs = isSoon ? Math.min(2 * last.delayMs, longestMs) : options.timeoutMs;
      const begunMs = monotonicMs();
      pauses.set(part, { operation, begunMs, delayMs, untilMs: begunMs + delayMs, trialMs: undefined });
    },
    answered(operation, startedMs) {
      const pause = pauses.get(partOf[operation]);
      if (pause?.operation === operation && startedMs >= pause.begunMs) end(partOf[operation], pause);
    },
  };
}
