/** Passes a manager's progress on as version 10's `progress` events. */
import type { Readable } from "node:stream";
import type { Progress } from "../../../core/types.ts";

/** The state in a `progress` event. */
export interface DropInProgress {
  /** 0 to 100. */
  percentage: number;
  /** Bytes of the image there will be; an estimate until the upstream says it exactly. */
  total: number;
  /** Bytes of the image delivered so far. */
  received: number;
  /** Seconds to go. */
  eta: number;
}

/** Makes a relay. It is there before the stream is, and silent until it has one. */
export function createProgressRelay() {
  let stream: Readable | undefined;
  let last: Progress | undefined;

  const emit = (state: DropInProgress | undefined) => {
    // Not from here: the manager would swallow what a listener throws.
    process.nextTick(() => stream?.emit("progress", state));
  };
  /** Only now is it known where an estimate was wrong, or where there was none. */
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
