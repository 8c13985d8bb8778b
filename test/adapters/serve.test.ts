// The HTTP bridge over real sockets: fetch where the client behaves, bare sockets where it does not.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { type RunningServer, type ServeOptions, serve } from "../../src/adapters/node/serve.ts";
import { bytesOf, collect, rejection } from "../support/collect.ts";
import { eventually } from "../support/eventually.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";
import { bodyOf } from "../support/watched-body.ts";

const MiB = 1024 * 1024;

const api = await sharedApi();
const servers: RunningServer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(
  handler: (request: Request) => Response | Promise<Response>,
  options: ServeOptions = {},
): Promise<RunningServer> {
  const server = await serve(handler, { closeTimeoutMs: 2_000, ...options });
  servers.push(server);
  return server;
}

/** A bare connection, and what came over it. */
async function open(server: RunningServer, text: string) {
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  sockets.push(socket);
  const pieces: Buffer[] = [];
  const facts = { error: undefined as NodeJS.ErrnoException | undefined };
  socket.on("data", (piece) => pieces.push(piece));
  socket.on("error", (error) => Object.assign(facts, { error }));
  const closed = once(socket, "close").catch(() => undefined);
  await once(socket, "connect");
  socket.write(text);
  return { socket, closed, facts, text: () => Buffer.concat(pieces).toString("latin1") };
}

/** What a server says to a request, until it closes. */
async function exchange(server: RunningServer, lines: string[]): Promise<string> {
  const connection = await open(server, `${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`);
  await connection.closed;
  return connection.text();
}

describe("answers", () => {
  test("pass method, URL and headers on, and status, headers and bytes back", async () => {
    const requests: Request[] = [];
    const server = await start((request) => {
      requests.push(request);
      const headers = new Headers({ "content-length": String(3 * MiB), "x-one": "1" });
      for (const cookie of ["a=1", "b=2"]) headers.append("set-cookie", cookie);
      return new Response(bodyOf(3, MiB).body, { status: 206, statusText: "Some of it", headers });
    });
    const response = await fetch(`${server.url}/a%2Fb?c=d`, {
      headers: { range: "bytes=1-", "x-a": "1, 2" },
    });
    expect([response.status, response.statusText]).toEqual([206, "Some of it"]);
    expect(response.headers.get("x-one")).toBe("1");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect([bytes.length, bytes[0], bytes[MiB], bytes[2 * MiB]]).toEqual([3 * MiB, 1, 2, 3]);
    const [request] = requests;
    expect([request?.method, request?.url]).toEqual(["GET", `${server.url}/a%2Fb?c=d`]);
    expect([request?.headers.get("range"), request?.headers.get("x-a")]).toEqual(["bytes=1-", "1, 2"]);
    expect(request?.signal.aborted).toBe(false);
  });

  test("a body of unknown length is chunked, its headers sent before its first bytes are there", async () => {
    const bytes = Promise.withResolvers<void>();
    const body = new ReadableStream({
      async pull(controller) {
        await bytes.promise;
        controller.enqueue(new Uint8Array(10));
        controller.close();
      },
    });
    const server = await start(() => new Response(body));
    const response = await fetch(server.url);
    expect(response.headers.get("transfer-encoding")).toBe("chunked");
    bytes.resolve();
    expect((await response.bytes()).length).toBe(10);
  });

  test.each([
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
  ])("%s with %i have no body, and one that is there is cancelled", async (method, status) => {
    const { body, seen } = bodyOf(1, 5);
    const hasBody = status === 200;
    const server = await start(
      () =>
        new Response(hasBody ? body : null, {
          status,
          headers: status === 204 ? {} : { "content-length": "5", etag: '"x"' },
        }),
    );
    const lines = [`${method} / HTTP/1.1`, "Host: a"];
    const [head, rest] = (await exchange(server, lines)).split("\r\n\r\n");
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    if (status !== 204) expect(head?.toLowerCase()).toContain("content-length: 5");
    expect(rest).toBe("");
    if (hasBody) expect(seen).toMatchObject({ pulls: 0, cancelled: "no reason" });
  });

  test("one connection serves many requests, whatever bodies they carry", async () => {
    const server = await start(async ({ method }) => new Response(method));
    const get = "GET / HTTP/1.1\r\nHost: a\r\n";
    const connection = await open(server, `${get}Content-Length: 3\r\n\r\nabc${get}\r\n`);
    await eventually(() => expect(connection.text().match(/HTTP\/1.1 200/g)).toHaveLength(2));
    connection.socket.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    await eventually(() => expect(connection.text()).toContain("POST"));
    connection.socket.write(`0\r\nX-Trailer: 1\r\n\r\n${get}\r\n`);
    await eventually(() => expect(connection.text().match(/HTTP\/1.1 200/g)).toHaveLength(4));
  });

  test("Expect: 100-continue is met, other expectations are refused", async () => {
    const server = await start(() => new Response("done"));
    const lines = ["POST / HTTP/1.1", "Host: a", "Content-Length: 0"];
    expect(await exchange(server, [...lines, "Expect: 100-continue"])).toMatch(
      /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 /,
    );
    expect(await exchange(server, [...lines, "Expect: wonders"])).toMatch(/^HTTP\/1.1 417 /);
  });
});

describe("hostile requests", () => {
  const right = ["GET / HTTP/1.1", "Host: a"];
  test.each([
    ["an asterisk", ["OPTIONS * HTTP/1.1", "Host: a"]],
    ["no host", ["GET / HTTP/1.1"]],
    ["an empty host", ["GET / HTTP/1.1", "Host: "]],
    ["a host with a path", ["GET / HTTP/1.1", "Host: a/b"]],
    ["a host with a user", ["GET / HTTP/1.1", "Host: u@a"]],
    ["a host with a query", ["GET / HTTP/1.1", "Host: a?b"]],
    ["a host with a port that is none", ["GET / HTTP/1.1", "Host: a:99999"]],
    ["two hosts", [...right, "Host: b"]],
    ["another scheme", ["GET ftp://a/ HTTP/1.1", "Host: a"]],
    ["a target with a user", ["GET http://u:p@a/ HTTP/1.1", "Host: a"]],
    ["a method that fetch has not", ["TRACE / HTTP/1.1", "Host: a"]],
  ])("%s is answered 400, and no handler is asked", async (_, lines) => {
    const handler = vi.fn(() => new Response());
    const server = await start(handler);
    expect(await exchange(server, lines)).toMatch(/^HTTP\/1.1 400 /);
    expect(handler).not.toHaveBeenCalled();
    expect(await exchange(server, right)).toMatch(/^HTTP\/1.1 200 /);
  });

  test.each([
    ["GET http://b:81/x?y HTTP/1.1", "http://b:81/x?y"],
    ["GET //b/../x HTTP/1.1", "http://a//x"],
    ["GET /http://b/ HTTP/1.1", "http://a/http://b/"],
  ])("%s means %s", async (line, url) => {
    const server = await start((request) => new Response(request.url));
    expect(await exchange(server, [line, "Host: a"])).toContain(`\r\n${url}\r\n`);
  });

  test("HTTP/1.0 needs no host", async () => {
    const server = await start((request) => new Response(request.url));
    expect(await exchange(server, ["GET /x HTTP/1.0"])).toContain("http://localhost/x");
  });
});

describe("failures", () => {
  test.each([
    ["throws", () => Promise.reject(new Error("secret"))],
    [
      "throws at once",
      () => {
        throw new Error("secret");
      },
    ],
    ["returns no Response", () => "secret" as unknown as Response],
    [
      "returns a body that was read",
      async () => {
        const response = new Response("secret");
        await response.text();
        return response;
      },
    ],
  ])("a handler that %s is answered 500 without detail", async (_, handler) => {
    const onError = vi.fn(() => {
      throw new Error("ignored");
    });
    const server = await start(handler, { onError });
    const response = await fetch(server.url);
    expect([response.status, await response.text()]).toEqual([500, ""]);
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(Error), expect.any(Request));
  });

  const lengths = [
    ["chunked", {}],
    ["with a length", { "content-length": String(4 * MiB) }],
  ] as const;
  test.each(lengths)("a body that fails, %s, breaks the connection", async (_, headers) => {
    const onError = vi.fn();
    const server = await start(() => new Response(bodyOf(2, MiB, new Error("lost")).body, { headers }), {
      onError,
    });
    const response = await fetch(server.url);
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow();
    expect(onError.mock.calls[0]?.[0]).toMatchObject({ message: "lost" });
  });

  test("a body of unknown length that fails resets the connection (HTTP/1.0)", async () => {
    const server = await start(() => new Response(bodyOf(2, 1000, new Error("lost")).body));
    const connection = await open(server, "GET / HTTP/1.0\r\n\r\n");
    await connection.closed;
    expect(connection.facts.error?.code).toBe("ECONNRESET");
  });

  test.each([
    ["shorter", 1],
    ["longer", 3],
  ])("a body %s than its Content-Length breaks the connection", async (_, pieces) => {
    const { body, seen } = bodyOf(pieces, 1000);
    const server = await start(() => new Response(body, { headers: { "content-length": "2000" } }));
    const connection = await open(server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await connection.closed;
    expect(connection.text().split("\r\n\r\n")[1]?.length).toBeLessThanOrEqual(2000);
    if (pieces === 3) expect(seen.cancelled).toBeDefined();
  });
});

describe("clients", () => {
  test("one that reads slowly is not run ahead of", async () => {
    const { body, seen } = bodyOf(64, MiB);
    const server = await start(({ url }) => new Response(url.endsWith("fast") ? bodyOf(64, MiB).body : body));
    const connection = await open(server, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    connection.socket.pause();
    await eventually(() => expect(seen.pulls).toBeGreaterThan(0));
    // By then as much has gone to a client that began later.
    expect((await bytesOf((await fetch(`${server.url}/fast`)).body!)).length).toBe(64 * MiB);
    expect(seen.pulls).toBeLessThan(16); // what the sockets' buffers take
    connection.socket.resume();
    await connection.closed;
    expect(connection.text().length).toBeGreaterThan(64 * MiB);
  });

  test.each([
    ["with a length", { "content-length": String(24 * MiB) }],
    ["chunked", {}],
  ])("one that reads slowly gets what is freed as soon as it is sent (%s)", async (_, headers) => {
    const freeing = vi.spyOn(ArrayBuffer.prototype, "transfer");
    onTestFinished(() => freeing.mockRestore());
    let pulls = 0;
    const body = new ReadableStream({
      type: "bytes",
      pull(controller) {
        if (pulls++ < 24) controller.enqueue(new Uint8Array(MiB).fill(pulls));
        else controller.close();
      },
    });
    const server = await start(() => new Response(body, { headers }));
    const { body: received } = await fetch(server.url);
    await eventually(() => expect(freeing).toHaveBeenCalled());
    const bytes = await bytesOf(received!);
    expect(Array.from({ length: 24 }, (_, at) => bytes.subarray(at * MiB, (at + 1) * MiB))).toSatisfy(
      (pieces: Uint8Array[]) =>
        pieces.every((piece, at) => piece.length === MiB && piece.every((byte) => byte === at + 1)),
    );
    await eventually(() => expect(freeing.mock.calls).toEqual(Array(24).fill([0])));
  });

  test("one gets whole what the handler sends again and again", async () => {
    const piece = new Uint8Array(MiB).fill(7);
    const start3 = (controller: ReadableStreamDefaultController) => {
      for (const _ of "123") controller.enqueue(piece);
      controller.close();
    };
    const server = await start(() => new Response(new ReadableStream({ start: start3 })));
    for (const _ of "12") expect((await (await fetch(server.url)).bytes()).length).toBe(3 * MiB);
    expect(piece.length).toBe(MiB);
  });

  test("one that goes aborts the signal and cancels the body", async () => {
    const { body, seen } = bodyOf(1000, MiB);
    const onError = vi.fn();
    let signal: AbortSignal | undefined;
    const server = await start(
      (request) => {
        signal = request.signal;
        return new Response(body);
      },
      { onError },
    );
    const leaving = new AbortController();
    const response = await fetch(server.url, { signal: leaving.signal });
    await response.body?.getReader().read();
    leaving.abort();
    await eventually(() =>
      expect([signal?.aborted, seen.cancelled]).toEqual([true, expect.any(DOMException)]),
    );
    expect(onError).not.toHaveBeenCalled();
  });

  test("one that goes before there is an answer aborts the signal, and the answer's body is cancelled", async () => {
    const { body, seen } = bodyOf(1, 1);
    const asked = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    const server = await start(async ({ signal }) => {
      signal.addEventListener("abort", () => aborted.resolve());
      asked.resolve();
      await aborted.promise;
      return new Response(body);
    });
    const { socket } = await open(server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await asked.promise;
    socket.destroy();
    await eventually(() => expect(seen).toMatchObject({ pulls: 0, cancelled: "no reason" }));
  });

  test("one that goes with requests still in line aborts all of them", async () => {
    const signals: AbortSignal[] = [];
    const cancelled: unknown[] = [];
    const server = await start(({ signal }) => {
      signals.push(signal);
      return new Response(new ReadableStream({ cancel: (reason) => void cancelled.push(reason) }));
    });
    const { socket } = await open(server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3));
    await eventually(() => expect(signals).toHaveLength(3));
    socket.destroy();
    await eventually(() => expect(cancelled).toHaveLength(3));
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
  });

  test("one that takes nothing is cut off; one that takes a little is not", async () => {
    const slow = bodyOf(64, MiB);
    const stalled = [bodyOf(64, MiB), bodyOf(64, MiB)];
    const left = [...stalled];
    const server = await start(
      ({ url }) => new Response((url.endsWith("slow") ? slow : left.shift())?.body),
      { sendTimeoutMs: 1_000 },
    );
    const openFor = (path: string) =>
      open(server, `GET /${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    const second = await openFor("slow");
    let wantedBytes = 0;
    const pauseWhenServed = (piece: Buffer) => {
      wantedBytes -= piece.length;
      if (wantedBytes <= 0) second.socket.pause();
    };
    second.socket.on("data", pauseWhenServed);
    const trickle = setInterval(() => {
      wantedBytes = MiB / 2;
      second.socket.resume();
    }, 100);
    onTestFinished(() => clearInterval(trickle));
    // One after the other: the slow one has outlived the time limit twice by then.
    for (const { seen } of stalled) {
      (await openFor("stalled")).socket.pause();
      await eventually(() => expect(seen.cancelled).toBeDefined());
    }
    expect(slow.seen.cancelled).toBeUndefined();
    clearInterval(trickle);
    second.socket.off("data", pauseWhenServed).resume();
    await second.closed;
    expect(second.text().length).toBeGreaterThan(64 * MiB);
  });

  test("a body that takes its time, after a wait for the client, is no stalled client", async () => {
    const body = new ReadableStream({
      async start(controller) {
        controller.enqueue(new Uint8Array(16 * MiB));
        await sleep(400); // a slow body, twice as late as a client may be
        controller.enqueue(new Uint8Array(1));
        controller.close();
      },
    });
    const server = await start(() => new Response(body), { sendTimeoutMs: 200 });
    expect((await (await fetch(server.url)).bytes()).length).toBe(16 * MiB + 1);
  });

  test("a handler that takes its time is no stalled client", async () => {
    const server = await start(
      async () => {
        await sleep(300); // a slow handler, later than a client may be
        return new Response("late");
      },
      { sendTimeoutMs: 50 },
    );
    expect(await (await fetch(server.url)).text()).toBe("late");
  });
});

test("images of a manager, to several clients at once, one of which leaves", async () => {
  const { manager } = createTestManager(api);
  const server = await start(async ({ signal }) => {
    const image = await manager.get(slug, version, { signal });
    return new Response(image, {
      headers: image.size === undefined ? {} : { "content-length": `${image.size}` },
    });
  });
  const leaving = new AbortController();
  const left = fetch(server.url, { signal: leaving.signal }).then((response) => response.bytes());
  leaving.abort();
  await expect(left).rejects.toThrow();
  const sha256 = await api.image(slug, version).sha256;
  for (let round = 0; round < 2; round++) {
    const responses = Array.from({ length: 4 }, () => fetch(server.url)); // kept: fetch cancels what is collected
    for (const response of responses) expect((await collect((await response).body!)).sha256).toBe(sha256);
  }
  expect((await fetch(server.url)).headers.get("content-length")).toBe(String(api.image(slug, version).size));
  await manager.close();
});

describe("close", () => {
  test("ends idle connections at once and refuses new ones", async () => {
    const server = await start(() => new Response("the answer"));
    const { closed, text } = await open(server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await eventually(() => expect(text()).toMatch(/the answer\r\n0\r\n\r\n$/));
    await Promise.all([server.close(), server.close(), closed]);
    await expect(fetch(server.url)).rejects.toThrow();
  });

  test("lets an answer under way finish, then ends its connection at once", async () => {
    const server = await start(() => new Response(bodyOf(100, 1000).body), { closeTimeoutMs: 60_000 });
    const response = await fetch(server.url);
    const started = performance.now();
    const closing = server.close();
    expect((await response.arrayBuffer()).byteLength).toBe(100_000);
    await closing;
    expect(performance.now() - started).toBeLessThan(4_500); // not the 5 s of a connection kept alive
  });

  test("cuts one that takes too long", async () => {
    const { body, seen } = bodyOf(100_000, 1000);
    const server = await start(() => new Response(body), { closeTimeoutMs: 100 });
    const response = await fetch(server.url);
    await server.close();
    await expect(response.arrayBuffer()).rejects.toThrow();
    await eventually(() => expect(seen.cancelled).toBeDefined());
  });

  test("is what an abort, and the end of a scope, do", async () => {
    const controller = new AbortController();
    const server = await start(() => new Response("x"), { signal: controller.signal });
    controller.abort();
    await eventually(() => expect(fetch(server.url)).rejects.toThrow());
    let url = "";
    {
      await using scoped = await serve(() => new Response("x"));
      url = scoped.url;
      expect(await (await fetch(url)).text()).toBe("x");
    }
    await expect(fetch(url)).rejects.toThrow();
  });
});

describe("options", () => {
  test.each([
    ["port", { port: 70_000 }],
    ["port", { port: "80" }],
    ["hostname", { hostname: "" }],
    ["signal", { signal: {} }],
    ["closeTimeoutMs", { closeTimeoutMs: Number.NaN }],
    ["sendTimeoutMs", { sendTimeoutMs: 0 }],
    ["onError", { onError: 1 }],
  ])("a wrong %s is refused: %o", async (name, options) => {
    const failure = await rejection(serve(() => new Response(), options as ServeOptions));
    expect(failure).toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining(name) });
  });

  test("a handler that is none, a port in use and an aborted signal are refused", async () => {
    expect(await rejection(serve("x" as never))).toMatchObject({ code: "INVALID_ARGUMENT" });
    const { url } = await start(() => new Response());
    const { port } = new URL(url);
    expect(await rejection(serve(() => new Response(), { port: Number(port) }))).toMatchObject({
      code: "INVALID_ARGUMENT",
      cause: { code: "EADDRINUSE" },
    });
    const reason = new Error("enough");
    expect(await rejection(serve(() => new Response(), { signal: AbortSignal.abort(reason) }))).toBe(reason);
  });

  test("an IPv6 address is bracketed in the URL", async () => {
    const server = await start((request) => new Response(request.url), { hostname: "::1" });
    expect(server.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect(await (await fetch(server.url)).text()).toBe(`${server.url}/`);
  });
});
