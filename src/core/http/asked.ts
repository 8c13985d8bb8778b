/** A request whose body may be read by several. The body of a POST is read before anybody is asked, up to a limit. */
import { readAtMost } from "../read-at-most.ts";
import { HttpProblem } from "./problem.ts";

/** A request, as the caller's functions get it. */
export interface Asked {
  readonly request: Request;
  /** The request with its body unread. */
  copy(): Request;
}

/** @throws {HttpProblem} 413 for a body of more than `maxBodyBytes`. */
export async function asked(request: Request, maxBodyBytes: number): Promise<Asked> {
  if (request.method !== "POST") return { request, copy: () => request };
  const body = await bodyOf(request, maxBodyBytes);
  const { method, headers, signal } = request;
  return { request, copy: () => new Request(request.url, { method, headers, signal, body: body.slice() }) };
}

async function bodyOf(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = new HttpProblem(413, `The body may have ${maxBytes} bytes.`);
  if (Number(request.headers.get("content-length")) > maxBytes) {
    await request.body?.cancel();
    throw tooLarge;
  }
  const { bytes, isWhole } = await readAtMost(request.body, maxBytes);
  if (!isWhole) throw tooLarge;
  return bytes;
}
