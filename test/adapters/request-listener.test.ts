// The listener in servers of other people: behind middlewares, over HTTP/2, with bodies that something has read before.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type ClientHttp2Session, connect, createServer as createHttp2Server } from "node:http2";
import { createServer as createTlsServer, get as getOverTls } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import {
  type NodeRequestListener,
  type RequestListenerOptions,
  requestListener,
} from "../../src/adapters/node/index.ts";
import { eventually } from "../support/eventually.ts";
import { bodyOf } from "../support/watched-body.ts";

const MiB = 1024 * 1024;

type Handler = (request: Request) => Response | Promise<Response>;
type Middleware = (
  incoming: IncomingMessage & Record<string, unknown>,
  outgoing: ServerResponse,
  next: () => Promise<void>,
) => unknown;

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** A server whose middleware comes first, as in Express. */
async function start(handler: Handler, middleware?: Middleware, options?: RequestListenerOptions) {
  const listener = requestListener(handler, options);
  const server = createServer(async (incoming, outgoing) => {
    const next = () => listener(incoming, outgoing);
    await (middleware ? middleware(incoming as never, outgoing, next) : next());
  });
  onTestFinished(() => server.closeAllConnections());
  return `http://127.0.0.1:${await portOf(server)}`;
}

describe("behind middlewares", () => {
  /** Takes a prefix away as Express does at a mount. */
  const mount: Middleware = (incoming, _, next) => {
    incoming["originalUrl"] = incoming.url;
    incoming.url = incoming.url?.replace(/^\/os/, "");
    return next();
  };

  test.each([
    [undefined, "/images?a"],
    [{ useOriginalUrl: false }, "/images?a"],
    [{ useOriginalUrl: true }, "/os/images?a"],
  ])("the path is the one below the mount, or by option the client's: %o", async (options, path) => {
    const url = await start((request) => new Response(request.url), mount, options);
    expect(await (await fetch(`${url}/os/images?a`)).text()).toBe(url + path);
  });

  test("the client's path is the plain one if nothing is mounted", async () => {
    const url = await start((request) => new Response(request.url), undefined, { useOriginalUrl: true });
    expect(await (await fetch(`${url}/x`)).text()).toBe(`${url}/x`);
  });

  const fields: Middleware = (_, outgoing, next) => {
    outgoing.setHeader("access-control-allow-origin", "*");
    outgoing.setHeader("vary", "Origin");
    outgoing.setHeader("set-cookie", "a=1");
    outgoing.setHeader("x-one", "theirs");
    outgoing.statusCode = 404; // as Koa begins
    return next();
  };

  test("their fields stay; those of the answer win; Vary and Set-Cookie are both", async () => {
    const headers = { "x-one": "ours", vary: "Range", "set-cookie": "b=2" };
    const url = await start(() => new Response("x", { headers }), fields);
    const response = await fetch(url);
    expect(response.status).toBe(200);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(response.headers.get("vary")).toBe("Origin, Range");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(response.headers.get("x-one")).toBe("ours");
  });

  test("their fields stay on a 500; those of the answer that failed go", async () => {
    const { body, seen } = bodyOf(0, 0);
    const broken = () => new Response(body, { headers: { etag: '"x"' }, statusText: "caf\u00e9 \u0080" });
    const url = await start(broken, (incoming, outgoing, next) => {
      outgoing.flushHeaders = () => {
        throw new Error("no");
      };
      return fields(incoming, outgoing, next);
    });
    const response = await fetch(url);
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([500, "*"]);
    expect(response.headers.get("etag")).toBeNull();
    expect(seen.cancelled).toBeDefined();
  });

  test("an answer that somebody has given meanwhile is left alone", async () => {
    const { body, seen } = bodyOf(3, 10);
    const asked = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    const onError = vi.fn();
    const late = async () => {
      asked.resolve();
      await answered.promise;
      return new Response(body);
    };
    const url = await start(
      late,
      async (_, outgoing, next) => {
        const done = next();
        await asked.promise;
        outgoing.writeHead(503, { "content-length": "8" });
        outgoing.write("too ");
        answered.resolve();
        await done;
        outgoing.end("late");
      },
      { onError },
    );
    const response = await fetch(url);
    expect([response.status, await response.text()]).toEqual([503, "too late"]);
    expect(seen).toEqual({ pulls: 0, cancelled: "no reason" });
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(Error), expect.any(Request));
  });

  test("a client that left while a middleware took its time is seen to be gone", async () => {
    const { body, seen } = bodyOf(3, 10);
    const asked = Promise.withResolvers<void>();
    const leaving = new AbortController();
    let signal: AbortSignal | undefined;
    const handler: Handler = (request) => {
      signal = request.signal;
      return new Response(body);
    };
    const url = await start(handler, async (_, outgoing, next) => {
      asked.resolve();
      await once(outgoing, "close");
      await next();
    });
    const answer = fetch(url, { signal: leaving.signal }).catch(() => undefined);
    await asked.promise;
    leaving.abort();
    await answer;
    await eventually(() =>
      expect([signal?.aborted, seen]).toEqual([true, { pulls: 0, cancelled: "no reason" }]),
    );
  });

  test("the promise resolves when the answer is handed over, and never rejects", async () => {
    const order: string[] = [];
    const url = await start(
      () => new Response(bodyOf(2, 1000, new Error("lost")).body),
      async (_, outgoing, next) => {
        outgoing.once("close", () => order.push("closed"));
        await next();
        order.push("done");
      },
    );
    await expect(fetch(url).then((response) => response.bytes())).rejects.toThrow();
    await eventually(() => expect(order).toHaveLength(2));
  });
});

/** Posts over one connection, and says what comes back. */
async function post(
  url: string,
  body: Uint8Array | string,
  headers: Record<string, string> = {},
  agent?: Agent,
) {
  const outgoing = request(url, { method: "POST", headers, agent });
  outgoing.end(body);
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  return Buffer.concat(await incoming.toArray()).toString();
}

describe("bodies of requests", () => {
  const echo: Handler = async (request) => {
    const { headers } = request;
    const said = ["content-length", "content-encoding"].map((name) => headers.get(name));
    return new Response(
      `${said} ${await request.text().catch((error: Error) => `failed: ${error.message}`)}`,
    );
  };
  /** Reads all, as a body parser does. */
  const parse =
    (left: Record<string, unknown>): Middleware =>
    async (incoming, _, next) => {
      await incoming.toArray();
      Object.assign(incoming, left);
      await next();
    };

  test("come as a stream, whole", async () => {
    const url = await start(async (request) => new Response(String((await request.bytes()).length)));
    expect(await post(url, new Uint8Array(5 * MiB))).toBe(String(5 * MiB));
  });

  test("are null if there is none", async () => {
    const url = await start((request) => new Response(String(request.body)));
    expect(await post(url, "", { "content-length": "0" })).toBe("null");
    expect(await (await fetch(url)).text()).toBe("null");
  });

  const json = { "content-type": "application/json; charset=utf-8" };
  test.each([
    ["a text", { body: "text" }, {}, ", text"],
    ["bytes", { body: Buffer.from("bytes") }, {}, ", bytes"],
    [
      "raw bytes and what they mean",
      { rawBody: Buffer.from('{ "a": 1 }'), body: { a: 1 } },
      json,
      ', { "a": 1 }',
    ],
    ["JSON", { body: { a: 1 } }, json, ', {"a":1}'],
    [
      "an object that was no JSON",
      { body: { a: 1 } },
      {},
      ", failed: The body was read before the handler got the request",
    ],
    ["nothing", {}, json, ", failed: The body was read before the handler got the request"],
  ])("that a parser has read are what it left: %s", async (_, left, headers, expected) => {
    const url = await start(echo, parse(left));
    expect(await post(url, "sent by the client", headers)).toBe(expected);
  });

  test("a parsed body's end is not the client's leaving", async () => {
    const seen = Promise.withResolvers<AbortSignal>();
    const go = Promise.withResolvers<void>();
    const url = await start(
      async ({ signal }) => {
        seen.resolve(signal);
        await go.promise;
        return new Response("here");
      },
      parse({ body: "x" }),
    );
    const answer = post(url, "x");
    const signal = await seen.promise;
    await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(1) }).catch(() => undefined); // turns of the loop
    expect(signal.aborted).toBe(false);
    go.resolve();
    expect(await answer).toBe("here");
  });

  test("after one that was parsed, a client's leaving is seen", async () => {
    const { body, seen } = bodyOf(1000, MiB);
    const url = await start(() => new Response(body), parse({ body: "x" }));
    const outgoing = request(url, { method: "POST" });
    outgoing.end("x");
    const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
    incoming.destroy();
    await eventually(() => expect(seen.cancelled).toBeInstanceOf(DOMException));
  });

  test("one that the handler reads in part, or not at all, does not stop its connection", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const ports: unknown[] = [];
    const url = await start(
      async (request) => {
        if (request.headers.has("x-read")) await request.body?.getReader().read();
        return new Response("done");
      },
      (incoming, _, next) => {
        ports.push(incoming.socket.remotePort);
        return next();
      },
    );
    const large = new Uint8Array(8 * MiB);
    expect(await post(url, large, { "x-read": "a piece" }, agent)).toBe("done");
    expect(await post(url, large, {}, agent)).toBe("done");
    expect(await post(url, "", {}, agent)).toBe("done");
    expect(new Set(ports).size).toBe(1);
  });
});

describe("over HTTP/2", () => {
  async function startHttp2(handler: Handler, options?: RequestListenerOptions) {
    const server = createHttp2Server(requestListener(handler, options));
    const url = `http://127.0.0.1:${await portOf(server)}`;
    const session = connect(url);
    onTestFinished(() => session.destroy());
    return { url, session };
  }

  async function exchange(session: ClientHttp2Session, headers: Record<string, string>, body?: string) {
    const stream = session.request(headers, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    const [fields] = await once(stream, "response");
    return { fields, bytes: Buffer.concat(await stream.toArray()) };
  }

  test("status, fields and bytes come, without those of a connection", async () => {
    const headers = { connection: "close", "x-one": "1", "content-length": String(2 * MiB) };
    const { url, session } = await startHttp2(
      (request) =>
        new Response(bodyOf(2, MiB).body, {
          status: 206,
          statusText: "Some",
          headers: { ...headers, "x-url": request.url, "x-range": request.headers.get("range") ?? "" },
        }),
    );
    const { fields, bytes } = await exchange(session, { ":path": "/a?b", range: "bytes=1-" });
    expect(fields).toMatchObject({
      ":status": 206,
      "x-one": "1",
      "x-url": `${url}/a?b`,
      "x-range": "bytes=1-",
    });
    expect(fields).not.toHaveProperty("connection");
    expect([bytes.length, bytes[0], bytes[MiB]]).toEqual([2 * MiB, 1, 2]);
  });

  test("HEAD has no body, and a good answer aborts no signal", async () => {
    const signals: AbortSignal[] = [];
    const { session } = await startHttp2(({ signal, method }) => {
      signals.push(signal);
      return new Response(method === "HEAD" ? null : "12345", { headers: { "content-length": "5" } });
    });
    const { fields, bytes } = await exchange(session, { ":path": "/", ":method": "HEAD" });
    expect([fields["content-length"], bytes.length]).toEqual(["5", 0]);
    expect((await exchange(session, { ":path": "/" })).bytes.toString()).toBe("12345");
    session.close();
    await once(session, "close");
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
  });

  test("bodies of requests come", async () => {
    const { session } = await startHttp2(async (request) => new Response(await request.text()));
    const { bytes } = await exchange(session, { ":path": "/", ":method": "POST" }, "sent");
    expect(bytes.toString()).toBe("sent");
  });

  test.each([
    ["fails", bodyOf(2, 1000, new Error("lost")), {}],
    ["is too short", bodyOf(1, 1000), { "content-length": "2000" }],
    ["is too long", bodyOf(3, 1000), { "content-length": "2000" }],
  ])("a body that %s resets its stream, and no other", async (_, { body }, headers) => {
    const onError = vi.fn();
    const handler: Handler = ({ url }) =>
      new Response(url.endsWith("/bad") ? body : "good", { headers: url.endsWith("/bad") ? headers : {} });
    const { session } = await startHttp2(handler, { onError });
    await expect(exchange(session, { ":path": "/bad" })).rejects.toThrow(/INTERNAL_ERROR|NGHTTP2/);
    expect((await exchange(session, { ":path": "/good" })).bytes.toString()).toBe("good");
    expect(onError).toHaveBeenCalledOnce();
  });

  test("a handler that throws is answered 500", async () => {
    const { session } = await startHttp2(() => Promise.reject(new Error("secret")));
    const { fields, bytes } = await exchange(session, { ":path": "/" });
    expect([fields[":status"], bytes.length]).toEqual([500, 0]);
  });

  test("a client that leaves aborts the signal and cancels the body", async () => {
    const { body, seen } = bodyOf(1000, MiB);
    let signal: AbortSignal | undefined;
    const { session } = await startHttp2((request) => {
      signal = request.signal;
      return new Response(body);
    });
    const stream = session.request({ ":path": "/" });
    await once(stream, "data");
    stream.close(8); // CANCEL
    await eventually(() =>
      expect([signal?.aborted, seen.cancelled]).toEqual([true, expect.any(DOMException)]),
    );
  });

  test("a client that reads slowly is not run ahead of, and one that takes nothing is cut off", async () => {
    const { body, seen } = bodyOf(64, MiB);
    const { session } = await startHttp2(() => new Response(body), { sendTimeoutMs: 300 });
    const stream = session.request({ ":path": "/" });
    stream.on("error", () => undefined);
    await once(stream, "response"); // and nothing is read
    await eventually(() => expect(seen.cancelled).toBeDefined());
    expect(seen.pulls).toBeLessThan(16);
  });
});

test("over TLS the handler is told https", async () => {
  const directory = await mkdtemp(join(tmpdir(), "listener-tls-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  const options = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost";
  await promisify(execFile)("openssl", [...options.split(" "), "-keyout", key, "-out", cert]);
  const listener = requestListener((request) => new Response(request.url));
  const server = createTlsServer({ key: await readFile(key), cert: await readFile(cert) }, listener);
  const port = await portOf(server);
  onTestFinished(() => server.closeAllConnections());
  const outgoing = getOverTls({ port, path: "/x", rejectUnauthorized: false });
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  expect(Buffer.concat(await incoming.toArray()).toString()).toBe(`https://localhost:${port}/x`);
});

test.each([
  ["handler", () => requestListener("x" as never)],
  ["sendTimeoutMs", () => requestListener(() => new Response(), { sendTimeoutMs: 0 })],
  ["useOriginalUrl", () => requestListener(() => new Response(), { useOriginalUrl: 1 as never })],
  ["onError", () => requestListener(() => new Response(), { onError: 1 as never })],
  ["options", () => requestListener(() => new Response(), null as never)],
])("a wrong %s is refused", (name, make: () => NodeRequestListener) => {
  expect(make).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining(name) }),
  );
});
