/** Shows whether bytes move on a connection. Answers arrive in order, so bytes of an earlier answer count as progress too. */
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
  let timer: ReturnType<typeof setInterval> | undefined;
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
      timer ??= setInterval(look, intervalMs);
      return () => {
        waiting.delete(onMoved);
        if (waiting.size > 0) return;
        clearInterval(timer);
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
  let timer: ReturnType<typeof setTimeout> | undefined;
  let forget = () => {};
  const silence = new Promise<never>((_, reject) => {
    const renew = () => {
      clearTimeout(timer);
      if (timeoutMs !== undefined)
        timer = setTimeout(() => reject(new Error("Command timed out")), timeoutMs);
    };
    forget = watch.add(() => {
      renew();
      onProgress?.();
    });
    renew();
  });
  try {
    return await Promise.race([answer, silence]);
  } finally {
    clearTimeout(timer);
    forget();
  }
}

/** Received and sent; what waits in the socket to be sent has not moved. */
function movedBytes(client: RedisClient | undefined): number {
  if (!client) return 0;
  if (client.nodes) return client.nodes("all").reduce((sum, node) => sum + movedBytes(node), 0);
  const { bytesRead = 0, bytesWritten = 0, writableLength = 0 } = client.stream ?? {};
  return bytesRead + bytesWritten - writableLength;
}
