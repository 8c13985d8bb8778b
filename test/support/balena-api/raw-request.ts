// A bare node:http client that reports a response as it came, broken or not, where `fetch` would throw or decode.
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";

/** A response as it came. */
export interface RawResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** `false` where the connection ended before the framing said so. */
  readonly complete: boolean;
  /** How the connection ended then: `aborted` (FIN) or `read ECONNRESET` (reset). */
  readonly error: string | undefined;
}

/** Options of {@link rawRequest}. */
export interface RawRequestOptions {
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

/** Sends a request on a connection of its own; rejects only where no headers come. */
export async function rawRequest(url: string, options: RawRequestOptions = {}): Promise<RawResponse> {
  const agent = new Agent({ keepAlive: true }); // else the server closes after each response, and no fault would show
  try {
    return await send(url, options, agent);
  } finally {
    agent.destroy();
  }
}

function send(
  url: string,
  { method = "GET", headers = {} }: RawRequestOptions,
  agent: Agent,
): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    let error: string | undefined;
    const sent = request(url, { method, headers, agent });
    sent.on("error", reject);
    sent.on("response", (response) => {
      const note = (cause: Error) => {
        error ??= cause.message;
      };
      sent.off("error", reject).on("error", note);
      response.on("error", note);
      resolve(collect(response, () => error));
    });
    sent.end();
  });
}

function collect(response: IncomingMessage, error: () => string | undefined): Promise<RawResponse> {
  const chunks: Buffer[] = [];
  response.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => {
    response.on("close", () => {
      const { statusCode: status = 0, headers, complete } = response;
      resolve({ status, headers, complete, error: error(), body: Buffer.concat(chunks) });
    });
  });
}
