// Sends a download's body: paced to the link, paused, cut or padded where the faults say so.
import type { ServerResponse } from "node:http";
import type { Counters } from "./counters.ts";
import { type DownloadFaults, type Place, strikes } from "./faults.ts";
import type { PackedFile } from "./packed-files.ts";
import { pause } from "./pause.ts";
import { createThrottle, sliceBytes, type Throttle } from "./throttle.ts";

/** How a body goes over the wire. */
export interface BodyPlan {
  /** Content-Length to announce; `undefined`: chunked. */
  readonly announcedBytes: number | undefined;
  /** Bytes of the body that are sent. */
  readonly sentBytes: number;
  /** `finish`: as HTTP ends a body. `close`: FIN. `destroy` and `reset`: as a lost connection. */
  readonly end: "finish" | "close" | "destroy" | "reset";
  readonly stallAtByte: number | undefined;
  readonly stallMs: number | undefined;
  readonly stallUntil: Promise<unknown> | undefined;
}

/** What a body is made of. */
export interface BodyParts {
  readonly file: PackedFile;
  /** Bytes of the file, end exclusive. */
  readonly start: number;
  readonly end: number;
}

/** What paces and counts a body. */
export interface BodyContext {
  readonly counters: Pick<Counters, "bytesSent">;
  readonly faults: DownloadFaults;
  /** The link that all downloads share. */
  readonly link: Throttle;
}

const announcedTooMuch = 1000;
const resetDelayMs = 50; // a reset discards what the client has not read yet: let it read what was to come before the loss

/** Plans the body of a 200 or 206; counts the incidents that strike it. */
export function planBody(bytes: number, coded: boolean, faults: DownloadFaults): BodyPlan {
  const stall = strikes(faults.stall) ? faults.stall : undefined;
  const stop = stopOf(bytes, faults);
  const omitted =
    coded || faults.contentLength === "omitted" || stop?.how === "chunked" || stop?.how === "gzip-coding";
  const tooMuch = faults.contentLength === "too-large" ? announcedTooMuch : 0;
  return {
    announcedBytes: omitted ? undefined : (stop?.how === "gzip-file" ? stop.atByte : bytes) + tooMuch,
    sentBytes: stop?.atByte ?? bytes,
    end: stop?.end ?? (tooMuch > 0 ? "close" : "finish"),
    stallAtByte: stall && byteOf(stall, bytes),
    stallMs: stall?.forMs,
    stallUntil: stall?.until,
  };
}

/** Sends the body and ends the response as planned, or sooner where the client leaves. */
export async function sendBody(
  response: ServerResponse,
  parts: BodyParts,
  plan: BodyPlan,
  { counters, faults, link }: BodyContext,
): Promise<void> {
  const connection = createThrottle(() => faults.connectionBytesPerSecond);
  const gone = new Promise<void>((resolve) => response.once("close", resolve));
  response.flushHeaders();
  let sent = 0;
  for await (const piece of pieces(parts, plan, faults)) {
    if (piece === "stall")
      await Promise.race([
        gone,
        plan.stallUntil ?? (plan.stallMs === undefined ? gone : pause(plan.stallMs)),
      ]);
    else {
      await Promise.all([link(piece.length), connection(piece.length)]);
      counters.bytesSent += piece.length;
      sent += piece.length;
      await Promise.race([gone, new Promise((resolve) => response.write(piece, resolve))]);
    }
    if (response.destroyed) return;
  }
  if (sent === plan.sentBytes) await endResponse(response, plan.end);
}

function stopOf(bytes: number, faults: DownloadFaults) {
  if (strikes(faults.lose)) {
    const end = faults.lose.reset === true ? ("reset" as const) : ("destroy" as const);
    return { atByte: byteOf(faults.lose, bytes), end, how: "lost" };
  }
  if (!strikes(faults.endShort)) return undefined;
  const { how } = faults.endShort;
  return {
    atByte: byteOf(faults.endShort, bytes),
    end: how === "content-length" ? ("close" as const) : ("finish" as const),
    how,
  };
}

async function* pieces(
  parts: BodyParts,
  plan: BodyPlan,
  faults: DownloadFaults,
): AsyncGenerator<Uint8Array | "stall"> {
  const stallAt = plan.stallAtByte;
  if (stallAt === undefined || stallAt > plan.sentBytes) return yield* span(parts, 0, plan.sentBytes, faults);
  yield* span(parts, 0, stallAt, faults);
  yield "stall";
  yield* span(parts, stallAt, plan.sentBytes, faults);
}

/** Bytes `from` to `to` of the body: of the file's part, then of the junk after it. */
async function* span(
  parts: BodyParts,
  from: number,
  to: number,
  faults: DownloadFaults,
): AsyncGenerator<Uint8Array> {
  const fileEnd = Math.min(parts.end, parts.start + to);
  const fileStart = parts.start + from;
  if (fileStart < fileEnd) {
    for await (const chunk of parts.file.read(fileStart, fileEnd)) yield* slices(chunk, faults);
  }
  const junkBytes = to - Math.max(from, parts.end - parts.start);
  if (junkBytes > 0) yield new Uint8Array(junkBytes).fill(faults.extraByte);
}

function* slices(chunk: Uint8Array, faults: DownloadFaults): Generator<Uint8Array> {
  for (let at = 0; at < chunk.length; ) {
    const slice = chunk.subarray(
      at,
      at + sliceBytes(faults.linkBytesPerSecond, faults.connectionBytesPerSecond),
    );
    at += slice.length;
    yield slice;
  }
}

async function endResponse(response: ServerResponse, how: BodyPlan["end"]): Promise<void> {
  if (how === "finish") response.end();
  else if (how === "close") response.socket?.end();
  else if (how === "destroy") response.socket?.destroy();
  else {
    await pause(resetDelayMs);
    response.socket?.resetAndDestroy();
  }
}

const byteOf = ({ atByte, atPercent }: Place, bytes: number) =>
  Math.min(bytes, atByte ?? Math.floor((bytes * (atPercent ?? 50)) / 100));
