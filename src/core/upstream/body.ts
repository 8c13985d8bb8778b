/**
 * The body of a response, locked as soon as its headers are there. If nobody has locked a body, Node ends it when its `Response` is
 * garbage. Such an end looks like the end of a complete body. So a body must be locked if something else happens before it is read.
 */
import { UpstreamError } from "../errors.ts";
import { arePiecesOurs } from "../memory/free.ts";

type Piece = Uint8Array<ArrayBuffer> | undefined;

/** A body that is read piece by piece. */
export interface UpstreamBody {
  /** Whether a piece is its reader's alone. */
  readonly arePiecesOurs: boolean;
  /** The next piece; `undefined` at the end, and once the body was left. */
  read(): Promise<Piece>;
  /** Leaves it: the connection closes at once, and a read that is pending ends. */
  cancel(): Promise<void>;
}

/**
 * From so many bytes before its end on, a body is read without being asked for. Node 22 and 24 die of an assertion if a peer
 * closes its connection while the last bytes wait in `fetch` for a reader (nodejs/undici#5360), and Node 26 loses them; up to
 * 0.2 MiB were seen to wait there.
 */
const drainBytes = 1024 * 1024;

/** Holds a body until its end, a `cancel` or an abort. The number of its bytes is given if it is certain. */
export function holdBody(
  response: Response,
  announcedBytes: number | undefined,
  signal: AbortSignal,
): UpstreamBody {
  const body = response.body ?? new Blob([]).stream();
  const isOurs = arePiecesOurs(body);
  const reader = lock(body);
  const ahead: Promise<Piece>[] = [];
  let leftBytes = announcedBytes ?? Number.POSITIVE_INFINITY;
  let isDraining = false;

  const leave = async () => {
    signal.removeEventListener("abort", leave);
    ahead.length = 0;
    await reader.cancel().catch(() => undefined); // what the cancel itself meets does not matter
  };

  const next = async (): Promise<Piece> => {
    const { done, value } = await reader.read();
    if (done) signal.removeEventListener("abort", leave);
    else leftBytes -= value.length;
    if (leftBytes < 0) throw tooLong(announcedBytes);
    drainNearEnd();
    return value;
  };

  /** Reads are answered in the order in which they are made. */
  const drainNearEnd = () => {
    if (isDraining || leftBytes > drainBytes) return;
    isDraining = true;
    void (async () => {
      let piece: Piece;
      do {
        const reading = next();
        ahead.push(reading);
        piece = await reading.catch(() => undefined);
      } while (piece);
    })();
  };

  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) void leave();
  drainNearEnd();
  return { arePiecesOurs: isOurs, read: () => ahead.shift() ?? next(), cancel: leave };
}

/** A `fetch` that a caller brings may answer with anything. */
function lock(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> {
  try {
    return body.getReader();
  } catch (cause) {
    const message = "The fetch function returned a response whose body can't be read";
    throw new UpstreamError(message, { unavailable: false }, { cause });
  }
}

/** Asking again would bring the same: the server contradicts itself. */
function tooLong(announcedBytes: number | undefined): UpstreamError {
  return new UpstreamError(`The upstream sent more than the ${announcedBytes} bytes that it announced`, {
    unavailable: false,
  });
}
