/**
 * Tells whether an answer can be the requested file. A captive portal or a maintenance page answers every request with 200 and its own
 * page. If that page were taken for an image, it would replace a good copy.
 */
import { UpstreamError } from "../errors.ts";
import type { ImageFile, ResolvedImage } from "../types.ts";
import { unlessAborted } from "../waiting.ts";
import type { UpstreamBody } from "./body.ts";
import { concat } from "./concat.ts";
import type { FileBody } from "./file-response.ts";
import { connectionLost } from "./read-file.ts";
import { isGzip } from "./split-members.ts";

type ImageNames = Pick<ResolvedImage, "deviceType" | "version" | "variant">;

/** What a file is taken for. */
type FileKind = ".gz" | ".zip" | ".img";

/** Enough of a file to tell a text from a boot sector. */
const startBytes = 512;

/**
 * Looks at a response's media type. If the response begins with the file's first byte, it looks at its first bytes too; those are read again later.
 * @throws {UpstreamError} `UPSTREAM`, `unavailable`: a later try may get the file, and until then a cached copy may stand in.
 */
export async function assertPlausible(
  image: ImageNames,
  request: ImageFile,
  response: FileBody,
  signal: AbortSignal,
  isHeadersOnly: boolean,
): Promise<FileBody> {
  try {
    if (isPage(response.mime)) throw implausible(image, `it is ${response.mime}`);
    if (isHeadersOnly || response.fromByte !== 0) return response;
    const { start, pieces } = await readStart(request, response.body, signal);
    const kind = request.gzip ? ".gz" : (image.variant.fileType ?? ".img");
    const reason = whyNot(kind, start, response.isCoded);
    if (reason !== undefined) throw implausible(image, reason);
    return { ...response, body: startingWith(pieces, response.body) };
  } catch (failure) {
    await response.body.cancel();
    throw failure;
  }
}

/** Media types that no image is sent as. `text/plain` is what some servers call every file that they don't know. */
export function isPage(mime: string | undefined): boolean {
  const type = mime?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return /^text\/(?!plain$)|^application\/(json|xml|javascript)$|\+(json|xml)$/.test(type);
}

/** Why bytes can't be the start of such a file; `undefined` if they can. A content coding may still lie over it: then only a text tells. */
export function whyNot(kind: FileKind, start: Uint8Array, isCoded: boolean): string | undefined {
  if (start.length === 0) return "it is empty";
  if (isText(start)) return "it is a text";
  if (isCoded) return undefined;
  if (kind === ".gz" && !isGzip(start)) return "it is no gzip file";
  if (kind === ".zip" && !(start[0] === 0x50 && start[1] === 0x4b)) return "it is no zip file";
  return undefined;
}

/** Printable from the first byte on; neither boot code nor a packed file gets far with that. */
function isText(start: Uint8Array): boolean {
  const head = start.subarray(0, startBytes);
  return head.length > 2 && head.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d));
}

/** As many pieces as it takes: a body may come byte by byte. */
async function readStart(request: ImageFile, body: UpstreamBody, signal: AbortSignal) {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let start: Uint8Array = new Uint8Array(0);
  while (start.length < startBytes) {
    const piece = await unlessAborted(signal, () => body.read()).catch((cause: unknown) => {
      signal.throwIfAborted();
      throw connectionLost(request, cause);
    });
    signal.throwIfAborted(); // an abort may look like the end
    if (!piece) break;
    pieces.push(piece);
    start = concat(start, piece.subarray(0, startBytes - start.length));
  }
  return { start, pieces };
}

function startingWith(pieces: Uint8Array<ArrayBuffer>[], body: UpstreamBody): UpstreamBody {
  return { ...body, read: async () => pieces.shift() ?? body.read() };
}

function implausible({ deviceType, version }: ImageNames, reason: string): UpstreamError {
  return new UpstreamError(
    `The upstream did not send ${deviceType} ${version}: ${reason}. Perhaps a sign-in or maintenance page answered instead`,
    { unavailable: true },
  );
}
