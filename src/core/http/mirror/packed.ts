/** Answers that are small on the line: packed with gzip if the client takes that, and named so. `fetch` must not unpack them unseen. */

import type { PackedBytes } from "../../manager-internals.ts";

/** Less is not worth packing. */
const leastBytes = 512;

/** What the client says that it takes. A content coding would be undone by some runtimes, and hides lengths. */
const packedType = "application/gzip";

/** Whether a client takes packed bytes. */
export const takesPacked = ({ headers }: Request): boolean =>
  (headers.get("accept") ?? "").includes(packedType);

/** The bytes, packed if that makes them shorter. They are the answer's from then on. Packed ones are for a client that takes them. */
export async function packedResponse(
  request: Request,
  { bytes, isGzip }: PackedBytes,
  mime: string,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  const mayPack = !isGzip && bytes.length >= leastBytes && takesPacked(request);
  const packed = mayPack ? await gzipped(bytes) : bytes;
  const isPacked = isGzip || packed.length < bytes.length;
  const body = isPacked ? packed : bytes;
  return new Response(request.method === "HEAD" ? null : body, {
    headers: {
      "content-type": isPacked ? packedType : mime,
      "content-length": String(body.length),
      "x-content-type-options": "nosniff",
      vary: "accept",
      ...headers,
    },
  });
}

async function gzipped(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
