/** A server that closes its connection after each file, and a reader that is behind: no runtime may die of it, or lose bytes. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { noise } from "../../support/scripted-upstream.ts";

const KiB = 1024;
// What `fetch` and the socket hold of a body that nobody reads, pieces of 64 KiB, is what matters at its end.
const sizes = [64, 128, 200, 488, 1024, 1088, 1500, 3072].map((size) => size * KiB);
const content = Buffer.from(noise(Math.max(...sizes)));
const rounds = 6;
const script = fileURLToPath(new URL("../../support/slow-reader-child.ts", import.meta.url));
const nodeOf = (name: string) =>
  fileURLToPath(new URL(`../../../node_modules/${name}/bin/node`, import.meta.url));

async function startServer() {
  let requests = 0;
  const server = createServer((socket) => {
    socket.on("error", () => {}); // a client that leaves
    socket.once("data", (head: Buffer) => {
      const size = Number(/\/(\d+) HTTP/.exec(String(head))?.[1]);
      requests += 1;
      // Every other time it does not say that it is going to close.
      const says = requests % 2 === 0 ? "Connection: close\r\n" : "";
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n${says}\r\n`);
      socket.end(content.subarray(0, size));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, requests: () => requests, [Symbol.dispose]: () => void server.close() };
}

// At the same time: each of them mostly waits.
test.concurrent.each([
  ["Node 22", nodeOf("node22")],
  ["this Node", process.execPath],
  ["Node 26", nodeOf("node26")],
])("%s", async (_, node) => {
  using server = await startServer();
  const task = JSON.stringify([server.url, sizes, rounds]);
  const child = spawn(node, [script, task], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  expect({ code, errors }).toMatchObject({ code: 0, errors: expect.not.stringContaining("AssertionError") });
  const got = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { size: number; sha256: string });
  expect(got).toHaveLength(rounds * sizes.length);
  for (const { size, sha256 } of got) expect(sha256).toBe(sha256Of(size));
  expect(server.requests()).toBe(rounds * sizes.length);
});

function sha256Of(size: number): string {
  return createHash("sha256").update(content.subarray(0, size)).digest("hex");
}
