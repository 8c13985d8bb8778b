/** Turns a manager's progress into version 10's `progress` events. */
import type { Readable } from "node:stream";
import type { Progress } from "../../core/types.ts";

/** The state in a `progress` event. */
export interface DropInProgress {
  /** Share of the image that was received, 0 to 100. */
  percentage: number;
  /** Bytes of the whole image. It is an estimate until the exact size is known. */
  total: number;
  /** Bytes of the image that were received so far. */
  received: number;
  /** Expected time to the end, in seconds. */
  eta: number;
}

/** Creates a relay. It exists before the stream, and emits nothing until it has one. */
export function createProgressRelay() {
  let stream: Readable | undefined;
  let last: Progress | undefined;

  const emit = (state: DropInProgress | undefined) => {
    // Emitted in the next tick, because the manager would ignore an error of a listener.
    process.nextTick(() => stream?.emit("progress", state));
  };
  /** Only at the end the exact size is known, if there was a wrong estimate or none. */
  const complete = () => {
    const received = last?.transferredBytes ?? 0;
    if (last?.percent !== 100)
      stream?.emit("progress", { percentage: 100, total: received, received, eta: 0 });
  };

  return {
    report(progress: Progress): void {
      last = progress;
      emit(stateOf(progress));
    },
    emitOn(readable: Readable): void {
      stream = readable;
      readable.once("end", complete);
    },
  };
}

function stateOf({ percent, totalBytes, transferredBytes, etaMs = 0 }: Progress): DropInProgress | undefined {
  if (percent === undefined || totalBytes === undefined) return undefined;
  return {
    percentage: percent,
    total: totalBytes,
    received: transferredBytes,
    eta: Math.round(etaMs / 1000),
  };
}
