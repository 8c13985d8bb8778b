/**
 * Tells a slow store from one that hangs. It measures the rate of large values. From the rate follow the time limit of a value, and how
 * many values may be requested at the same time. On a slow line, many chunks that are requested together are all late.
 */
import { monotonicMs } from "../clock.ts";

/** How large values come and go, lately. One for both ways: they may share a line. */
export interface Pace {
  /** Whether one more of so many bytes would come soon, after those that are under way. */
  hasRoomFor(bytes: number): boolean;
  /** One of so many bytes begins; 0 for a small one, which is not measured. */
  start(bytes: number): PacedCall;
}

/** One value on its way. */
export interface PacedCall {
  /** Some bytes have come: of this value, or of others that have to come before it. */
  progressed(): void;
  /** How long it may go on without progress; not positive if it is late. `timeoutMs` is what each value may take at least. */
  leftMs(timeoutMs: number): number;
  /** Whether no value at all has got on for so long. */
  isAllSilent(timeoutMs: number): boolean;
  /** So many bytes of it have come, or it is not waited for any more (0). */
  end(bytesCome: number): void;
}

/** What is under way should come within this time: more would only make each of them late. */
const aheadMs = 2_000;
/** Before anything is measured: enough to overlap two answers, and little enough to measure soon. */
const firstCalls = 2;
/** Before anything is measured, a value is given the time that it takes at a quarter of this. */
const firstBytesPerMs = 4 * 1024;
/** A shared line is sometimes slower, so a value may take this many times as long as the measured rate predicts. */
const slack = 4;
/** Older measurements count half after each such time. */
const memoryMs = 4_000;

/** Makes one. `tellsProgress`: calls say when they get on, so silence is a sign. */
export function createPace(tellsProgress: boolean): Pace {
  let underWay = 0;
  let bytesUnderWay = 0;
  let progressMs = Number.NEGATIVE_INFINITY;
  let arrivedMs = Number.NEGATIVE_INFINITY;
  const measured = { bytes: 0, ms: 0 };

  /** Measures from one arrival to the next. So the number of requested values does not matter, and values that hang do not count. */
  const measure = (bytes: number, startedMs: number) => {
    const nowMs = monotonicMs();
    measured.bytes += bytes;
    measured.ms += nowMs - Math.max(startedMs, arrivedMs);
    arrivedMs = nowMs;
    if (measured.ms <= memoryMs) return;
    measured.bytes /= 2;
    measured.ms /= 2;
  };

  const bytesPerMs = () => (measured.bytes > 0 ? measured.bytes / measured.ms : undefined);

  return {
    hasRoomFor(bytes) {
      const rate = bytesPerMs();
      return rate === undefined ? underWay < firstCalls : bytesUnderWay + bytes <= rate * aheadMs;
    },
    start(bytes) {
      const startedMs = monotonicMs();
      let ownMs = startedMs;
      let isOver = false;
      underWay += bytes > 0 ? 1 : 0;
      bytesUnderWay += bytes;
      const silentMs = () => monotonicMs() - Math.max(startedMs, progressMs);
      return {
        progressed() {
          ownMs = progressMs = monotonicMs();
        },
        leftMs(timeoutMs) {
          const mayTakeMs = Math.max(timeoutMs, (slack * bytesUnderWay) / (bytesPerMs() ?? firstBytesPerMs));
          const ownLeftMs = mayTakeMs - (monotonicMs() - ownMs);
          return tellsProgress ? Math.min(timeoutMs - silentMs(), ownLeftMs) : ownLeftMs;
        },
        isAllSilent: (timeoutMs) => silentMs() >= timeoutMs,
        end(bytesCome) {
          // A value that was given up may come after all. Its time shows how slow the store is.
          if (bytesCome > 0) measure(bytesCome, startedMs);
          if (isOver) return;
          isOver = true;
          underWay -= bytes > 0 ? 1 : 0;
          bytesUnderWay -= bytes;
        },
      };
    },
  };
}
