// A TCP proxy before a server, with one line to its clients that all of them share: so many bytes a second, first come, first served.

import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** The proxy. */
export interface ThrottledProxy {
  readonly port: number;
  /** Bytes that came over the line from the server, up to now. */
  readonly bytes: () => number;
  /** Of the line, in each direction; may be changed at any time. 0 stops it. */
  bytesPerSecond: number;
  close(): void;
}

const pieceBytes = 16 * 1024;

/** Starts one. */
export async function startThrottledProxy(
  serverPort: number,
  bytesPerSecond: number,
): Promise<ThrottledProxy> {
  let received = 0;
  const sockets = new Set<Socket>();
  const down = createLine((bytes) => {
    received += bytes;
  });
  const up = createLine(() => undefined);
  const server: Server = createServer((client) => {
    const upstream = connect(serverPort, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
    }
    // Not the other way round: a server that has sent all and closes leaves bytes that are still on the line.
    client.on("close", () => upstream.destroy());
    void down(upstream, client, () => proxy.bytesPerSecond);
    void up(client, upstream, () => proxy.bytesPerSecond);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy: ThrottledProxy = {
    port: (server.address() as AddressInfo).port,
    bytes: () => received,
    bytesPerSecond,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
  return proxy;
}

/** One direction: pieces of all connections take turns. */
function createLine(onBytes: (bytes: number) => void) {
  let turn = Promise.resolve();
  let freeMs = 0;
  const pass = (piece: Buffer, to: Socket, rate: () => number) => {
    turn = turn.then(async () => {
      while (rate() === 0) await sleep(5);
      if (to.destroyed) return;
      // By the clock, so that timers that are late on a busy machine do not make the line slower.
      freeMs = Math.max(freeMs, performance.now()) + (1000 * piece.length) / rate();
      await sleep(Math.max(0, freeMs - performance.now()));
      onBytes(piece.length);
      to.write(piece);
    });
    return turn;
  };
  return async (from: Socket, to: Socket, rate: () => number) => {
    try {
      for await (const data of from as AsyncIterable<Buffer>) {
        for (let at = 0; at < data.length; at += pieceBytes)
          await pass(data.subarray(at, at + pieceBytes), to, rate);
      }
      to.end();
    } catch {
      to.destroy();
    }
  };
}
