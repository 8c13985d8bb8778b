// A TCP proxy before a server, with one line to its clients that all of them share: so many bytes a second, first come, first served.
// Each connection may have a limit of its own besides.

import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";
import { monotonicMs } from "../../src/core/clock.ts";
import { sleep } from "../../src/core/waiting.ts";

/** The proxy. */
export interface ThrottledProxy {
  readonly port: number;
  /** Bytes that came over the line from the server, up to now. */
  readonly bytes: () => number;
  /** Of the line, in each direction; may be changed at any time. 0 stops it. */
  bytesPerSecond: number;
  /** Of each connection, in each direction; may be changed at any time. Default: no limit but the line's. */
  connectionBytesPerSecond: number;
  /** What the server sends arrives so much later; may be changed at any time. Default 0. */
  latencyMs: number;
  /** Every so many pieces of at most 16 KiB from the server, their connection breaks; may be changed at any time. Default: never. */
  breaksAt: number;
  close(): void;
}

const pieceBytes = 16 * 1024;
/** Timers are late: up to this much lost time is made up for, so that the mean rate holds. */
const catchUpMs = 20;

/** Starts one. */
export async function startThrottledProxy(
  serverPort: number,
  bytesPerSecond: number,
): Promise<ThrottledProxy> {
  let received = 0;
  let pieces = 0;
  const sockets = new Set<Socket>();
  const limits = {
    line: () => proxy.bytesPerSecond,
    connection: () => proxy.connectionBytesPerSecond,
  };
  const soon = { ...limits, latencyMs: () => 0 };
  const late = { ...limits, latencyMs: () => proxy.latencyMs };
  const down = createLine(late, (bytes, client) => {
    received += bytes;
    pieces += 1;
    if (pieces % proxy.breaksAt === 0) client.destroy();
  });
  const up = createLine(soon, () => undefined);
  const server: Server = createServer((client) => {
    const upstream = connect(serverPort, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
    }
    // Not the other way round: a server that has sent all and closes leaves bytes that are still on the line.
    client.on("close", () => upstream.destroy());
    void down(upstream, client);
    void up(client, upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy: ThrottledProxy = {
    port: (server.address() as AddressInfo).port,
    bytes: () => received,
    bytesPerSecond,
    connectionBytesPerSecond: Number.POSITIVE_INFINITY,
    latencyMs: 0,
    breaksAt: Number.POSITIVE_INFINITY,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
  return proxy;
}

interface Limits {
  readonly line: () => number;
  readonly connection: () => number;
  readonly latencyMs: () => number;
}

/** One direction: pieces of all connections take turns. */
function createLine({ line, connection, latencyMs }: Limits, onBytes: (bytes: number, to: Socket) => void) {
  let turn = Promise.resolve();
  // Timers of one length run in the order in which they were started.
  const later = (run: () => void) => (latencyMs() === 0 ? run() : void setTimeout(run, latencyMs()));
  const lineHasRoom = createPace(line);
  const pass = (piece: Buffer, to: Socket) => {
    turn = turn.then(async () => {
      while (line() === 0) await sleep(5);
      if (to.destroyed) return;
      await lineHasRoom(piece.length);
      onBytes(piece.length, to);
      if (to.destroyed) return;
      later(() => to.write(piece));
    });
    return turn;
  };
  return async (from: Socket, to: Socket) => {
    const connectionHasRoom = createPace(connection);
    try {
      for await (const data of from as AsyncIterable<Buffer>) {
        for (let at = 0; at < data.length; at += pieceBytes) {
          const piece = data.subarray(at, at + pieceBytes);
          await connectionHasRoom(piece.length);
          await pass(piece, to);
          // A client that does not read is not sent more.
          while (to.writableNeedDrain && !to.destroyed) await sleep(1);
        }
      }
      later(() => to.end());
    } catch {
      to.destroy();
    }
  };
}

/** Waits until so many bytes may go. */
function createPace(rate: () => number) {
  let freeMs = 0;
  return async (bytes: number) => {
    const nowMs = monotonicMs();
    freeMs = Math.max(freeMs, nowMs - catchUpMs) + (1000 * bytes) / rate();
    if (freeMs > nowMs) await sleep(freeMs - nowMs);
  };
}
