// Runs before an example, in its process: leads its requests to the test's servers, and its own server to a free port.
import { type AddressInfo, Server } from "node:net";
import { routed, type Servers } from "./routes.ts";

type Options = Record<string, unknown>;
type Serve = (...args: unknown[]) => { port?: number; addr?: AddressInfo };

const servers: Servers = JSON.parse(process.env["DOCS_SERVERS"] ?? "");
const { fetch } = globalThis;

globalThis.fetch = async (input, init) => {
  if (input instanceof Request) return fetch(new Request(route(input.url), input), init);
  return fetch(route(String(input)), init);
};

/** Ends the process at once: the library would take a failed `fetch` for trouble on the line and try again. */
function route(address: string): string {
  try {
    return routed(address, servers);
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
}

const { listen } = Server.prototype;
Server.prototype.listen = function (this: Server, first: unknown, ...rest: unknown[]) {
  this.once("listening", () => tell((this.address() as AddressInfo).port));
  const port = typeof first === "object" ? { ...first, port: 0 } : 0;
  return Reflect.apply(listen, this, [port, ...rest]);
} as typeof listen;

const { Bun, Deno } = globalThis as { Bun?: { serve: Serve }; Deno?: { serve: Serve } };
if (Bun) Bun.serve = atFreePort(Bun.serve);
else if (Deno) Deno.serve = atFreePort(Deno.serve);

function atFreePort(serve: Serve): Serve {
  return (...args) => {
    const options = args.find((arg): arg is Options => typeof arg === "object");
    const server = serve({ ...options, port: 0 }, ...args.filter((arg) => arg !== options));
    tell(server.port ?? server.addr?.port);
    return server;
  };
}

/** The test reads it there, sends a request and ends the process. */
function tell(port: number | undefined): void {
  process.stderr.write(`listens at http://127.0.0.1:${port}\n`);
}
