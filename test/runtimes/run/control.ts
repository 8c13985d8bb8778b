// Starts loopback balena APIs for suites in other processes, and steers them as these ask by POST.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type BalenaApi, repeatableImages, startBalenaApi } from "../../support/balena-api/index.ts";
import { steer } from "../../support/steered-api.ts";
import type { RemoteApiFacts, RemoteCalls } from "../suites/remote-api.ts";

/** A running control server. */
export interface Control {
  readonly url: string;
  close(): Promise<void>;
}

interface Message {
  readonly id?: string;
  readonly method: string;
  readonly args: readonly unknown[];
}

type Calls = Omit<RemoteCalls, "start">;
const imageBytes = 2 * 1024 * 1024;

/** Starts one on a free port. */
export async function startControl(): Promise<Control> {
  const apis = new Map<string, Calls>();
  const server = createServer(async (request, response) => {
    const answer = await handle(apis, request).catch((error: Error) => ({ error: error.message }));
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const close = async () => {
    server.close();
    server.closeAllConnections();
    await Promise.all([...apis.values()].map((api) => api.close()));
  };
  return { url, close };
}

async function handle(apis: Map<string, Calls>, request: IncomingMessage): Promise<{ result?: unknown }> {
  const { id = "", method, args } = JSON.parse(await text(request)) as Message;
  if (method === "start") return { result: await start(apis) };
  const call = apis.get(id)?.[method as keyof Calls] as ((...args: unknown[]) => unknown) | undefined;
  if (call === undefined) throw new Error(`There is no ${method} of API ${id}`);
  return { result: await call(...args) };
}

async function start(apis: Map<string, Calls>): Promise<RemoteApiFacts> {
  const api = await startBalenaApi({ assets: false, ...repeatableImages, imageBytes });
  const id = String(apis.size);
  apis.set(id, callsOf(api));
  return { id, url: api.url, filesUrl: api.filesUrl, token: api.token, imageBytes };
}

function callsOf(api: BalenaApi): Calls {
  const { addRelease, failMetadata, delayMetadata, close } = steer(api, imageBytes);
  return {
    ...{ addRelease, failMetadata, delayMetadata, close },
    takeRequests: async () => api.counters.requestLog.splice(0) as Awaited<ReturnType<Calls["takeRequests"]>>,
    setFaults: async (faults) => void Object.assign(api.faults, faults),
    counters: async () => api.counters,
    sha256: (deviceType, version, variant) => api.image(deviceType, version, variant).sha256,
  };
}
