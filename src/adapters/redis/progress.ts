/** Shows whether bytes move on a connection. Answers arrive in order, so bytes of an earlier answer count as progress too. */
import { monotonicMs, startInterval, stopTimer, type Timer } from "../../core/clock.ts";
import { withinTime } from "../../core/waiting.ts";
import type { RedisClient } from "./client.ts";

/** Watches while somebody waits. */
export interface SocketWatch {
  /** Calls `onMoved` whenever bytes have moved, until the returned function is called. */
  add(onMoved: () => void): () => void;
}

/** How often to look. */
const intervalMs = 200;

/** Makes one for a client, once there is one. */
export function createSocketWatch(client: () => RedisClient | undefined): SocketWatch {
  const waiting = new Set<() => void>();
  let timer: Timer | undefined;
  let seenBytes = 0;

  const look = () => {
    const bytes = movedBytes(client());
    if (bytes === seenBytes) return;
    seenBytes = bytes;
    for (const onMoved of waiting) onMoved();
  };

  return {
    add(onMoved) {
      waiting.add(onMoved);
      timer ??= startInterval(look, intervalMs);
      return () => {
        waiting.delete(onMoved);
        if (waiting.size > 0) return;
        stopTimer(timer);
        timer = undefined;
      };
    },
  };
}

/** Waits for an answer as long as bytes move; without a `timeoutMs`, for ever. */
export async function whileMoving<T>(
  watch: SocketWatch,
  timeoutMs: number | undefined,
  onProgress: (() => void) | undefined,
  answer: Promise<T>,
): Promise<T> {
  let movedMs = monotonicMs();
  const forget = watch.add(() => {
    movedMs = monotonicMs();
    onProgress?.();
  });
  try {
    if (timeoutMs === undefined) return await answer;
    const leftMs = () => timeoutMs - (monotonicMs() - movedMs);
    return await withinTime(
      () => answer,
      leftMs,
      () => new Error("Command timed out"),
    );
  } finally {
    forget();
  }
}

/** Received and sent bytes. Bytes that wait in the socket to be sent have not moved. */
function movedBytes(client: RedisClient | undefined): number {
  if (!client) return 0;
  if (client.nodes) return client.nodes("all").reduce((sum, node) => sum + movedBytes(node), 0);
  const { bytesRead = 0, bytesWritten = 0, writableLength = 0 } = client.stream ?? {};
  return bytesRead + bytesWritten - writableLength;
}
