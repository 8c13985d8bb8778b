// An Azurite of a test file's own, the vendor's client of its containers, and a proxy before it that breaks answers on demand.
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BlobServiceClient, type ContainerClient } from "@azure/storage-blob";
import { connectionStringOf, startAzurite } from "../../scripts/services/azurite.ts";
import { stopDaemon } from "../../scripts/services/daemon.ts";

/** A running server. */
export interface TestAzurite {
  /** Through the proxy. */
  readonly connectionString: string;
  /** Makes a new container; the client does not go through the proxy. */
  newContainer(): Promise<ContainerClient>;
  /** Asked for each answer that came through the proxy; what it returns happens to the answer. Default: nothing. */
  fault: AzureFault;
  /** Requests through the proxy since this was emptied, as `METHOD path?query`. */
  readonly requests: string[];
  /** Bytes of bodies that the proxy has passed on to clients. */
  bodyBytes: number;
  stop(): Promise<void>;
}

/** What becomes of an answer: lost, cut after so many bytes of its body, held for ever, or replaced by a refusal. */
export type AzureFault = (
  request: IncomingMessage,
) => undefined | "lose" | "hold" | { cutAfter: number } | { refuse: number } | Promise<undefined>;

/** Starts one. */
export async function startTestAzurite(): Promise<TestAzurite> {
  const directory = await mkdtemp(join(tmpdir(), "test-azurite-"));
  const { connectionString, port, daemon } = await startAzurite(directory);
  const service = BlobServiceClient.fromConnectionString(connectionString);
  let containers = 0;
  const azurite: TestAzurite = {
    connectionString: "",
    fault: () => undefined,
    requests: [],
    bodyBytes: 0,
    async newContainer() {
      const container = service.getContainerClient(`images-${++containers}`);
      await container.create();
      return container;
    },
    async stop() {
      proxy.closeAllConnections();
      proxy.close();
      await stopDaemon(daemon);
      await rm(directory, { recursive: true, force: true });
    },
  };
  const proxy = createServer((incoming, outgoing) => void forward(azurite, port, incoming, outgoing));
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return Object.assign(azurite, {
    connectionString: connectionStringOf((proxy.address() as AddressInfo).port),
  });
}

function forward(
  azurite: TestAzurite,
  port: number,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): void {
  const { method, url, headers } = incoming;
  azurite.requests.push(`${method} ${url}`);
  const options = { host: "127.0.0.1", port, method: method ?? "GET", path: url ?? "/", headers };
  const upstream = request(options, async (answer) => {
    const fault = await azurite.fault(incoming);
    if (fault === "lose") return void outgoing.destroy();
    if (fault === "hold") return;
    if (fault && "refuse" in fault) return void outgoing.writeHead(fault.refuse).end();
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    let bytes = 0;
    answer.on("data", (piece: Buffer) => {
      const rest = fault ? Math.max(0, fault.cutAfter - bytes) : piece.length;
      bytes += piece.length;
      azurite.bodyBytes += Math.min(rest, piece.length);
      const goesOn = outgoing.write(piece.subarray(0, rest));
      if (fault && bytes > fault.cutAfter) setTimeout(() => outgoing.destroy(), 50);
      else if (!goesOn) {
        answer.pause();
        outgoing.once("drain", () => answer.resume());
      }
    });
    answer.on("end", () => !fault && outgoing.end());
    outgoing.on("close", () => answer.destroy());
  });
  upstream.on("error", () => outgoing.destroy());
  incoming.pipe(upstream);
}
