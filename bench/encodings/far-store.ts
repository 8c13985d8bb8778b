// A store far away, in a process of its own: the requests of S3 that the manager sends, each answered after a while, over a line that all
// of them share. It keeps objects in memory, and checks no signatures.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { startThrottledProxy, type ThrottledProxy } from "../../test/support/throttled-proxy.ts";
import { answerCalls } from "../calls.ts";

/** How far it is. */
export interface Distance {
  readonly latencyMs: number;
  readonly bytesPerSecond: number;
}

let latencyMs = 0;
let line: ThrottledProxy | undefined;
const objects = new Map<string, Buffer>();
const server = createServer((request, response) => void answer(request, response));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "", "http://localhost");
  const body = Buffer.concat(await request.toArray());
  await sleep(latencyMs);
  const name = decodeURIComponent(url.pathname.replace(/^\/[^/]*\/?/, ""));
  if (request.method === "PUT") return put(name, body, request.headers["if-none-match"] === "*", response);
  if (request.method === "DELETE")
    return void response.writeHead(204).end(objects.delete(name) ? "" : undefined);
  if (request.method === "POST") return void response.end("<DeleteResult/>");
  if (name === "") return list(url.searchParams.get("prefix") ?? "", response);
  const found = objects.get(name);
  response.writeHead(found ? 200 : 404).end(found ?? "<Error><Code>NoSuchKey</Code></Error>");
}

function put(name: string, body: Buffer, isIfAbsent: boolean, response: ServerResponse): void {
  if (isIfAbsent && objects.has(name))
    return void response.writeHead(412).end("<Error><Code>PreconditionFailed</Code></Error>");
  objects.set(name, body);
  response.writeHead(200).end();
}

function list(prefix: string, response: ServerResponse): void {
  const names = [...objects.keys()].filter((name) => name.startsWith(prefix)).sort();
  const contents = names
    .map((name) => `<Contents><Key>${encodeURIComponent(name)}</Key></Contents>`)
    .join("");
  response.end(
    `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>${contents}</ListBucketResult>`,
  );
}

answerCalls(
  {
    async start(): Promise<string> {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      line = await startThrottledProxy((server.address() as AddressInfo).port, Number.POSITIVE_INFINITY);
      return `http://127.0.0.1:${line.port}`;
    },
    async move(distance: Distance): Promise<void> {
      latencyMs = distance.latencyMs;
      line!.bytesPerSecond = distance.bytesPerSecond;
    },
    async clear(): Promise<void> {
      objects.clear();
    },
  },
  async () => {
    line?.close();
    server.close();
  },
);
