/** Reads a large part over several connections, as ranges that are put together in order. For links on which each connection is slow. */

import { UpstreamError } from "../errors.ts";
import type { MemoryAccount } from "../memory/budget.ts";
import { discard } from "./file-response.ts";
import type { DownloadJob, PartOpener, RangeLimits, UpstreamFile } from "./job.ts";
import { openPartRange, type PartRange, readPartRange } from "./part-range.ts";
import { rangeBytesOf, rangesPerConnection } from "./range-size.ts";
import { FileRestarted, type ReadContext, readUpstreamFile } from "./read-file.ts";
import { createRetries, withRetries } from "./retry.ts";

/** What is read, and for whom. */
export interface RangedPart {
  readonly job: DownloadJob;
  readonly supply: PartOpener;
  readonly index: number;
}

/**
 * The bytes of a part in order, from the file's first on. A file that is a range is followed by the other ranges, each with retries of
 * its own; any other file is read as it is.
 * @throws {FileRestarted} if the upstream does not hand out the other ranges of this very file.
 */
export async function* readInRanges(
  part: RangedPart,
  file: UpstreamFile,
  context: ReadContext,
): AsyncGenerator<Uint8Array> {
  const { toByte, fileBytes } = file.response;
  if (toByte === undefined || toByte === fileBytes || !part.job.ranges)
    return yield* readUpstreamFile(file, context);
  const queue = new RangeQueue(part, part.job.ranges, file, context);
  let offset = file.response.fromByte ?? 0;
  try {
    for (let range = queue.shift(); range; range = queue.shift()) {
      for await (const piece of range) {
        offset += piece.length;
        context.onPosition(offset);
        yield piece;
      }
    }
  } catch (failure) {
    if (!(failure instanceof OtherFile)) throw failure;
    const { name } = part.supply.parts[part.index]!;
    const cause = new UpstreamError(`The upstream does not hand out ranges of one file for part ${name}`, {
      unavailable: true,
    });
    await context.retries.pauseAfter(cause, context.signal);
    part.supply.forgoRanges();
    throw new FileRestarted(await context.reopen({}), cause);
  } finally {
    queue.close();
  }
}

/** The upstream does not hand out a range of the file any more that the first range was of. */
class OtherFile extends Error {}

class RangeQueue {
  readonly #part: RangedPart;
  readonly #limits: RangeLimits;
  readonly #etag: string | undefined;
  readonly #rangeBytes: number;
  readonly #wireBytes: number;
  readonly #account: MemoryAccount;
  readonly #stop = new AbortController();
  readonly #job: DownloadJob;
  readonly #ranges: AsyncGenerator<Uint8Array>[] = [];
  #underWay = 0;
  #next: number;

  constructor(part: RangedPart, limits: RangeLimits, first: UpstreamFile, context: ReadContext) {
    const { job, supply, index } = part;
    const { fromByte = 0, toByte, validators } = first.response;
    this.#part = part;
    this.#limits = limits;
    this.#etag = validators.etag;
    this.#wireBytes = supply.parts[index]!.wireBytes;
    this.#rangeBytes = rangeBytesOf(this.#wireBytes, limits.connections) ?? this.#wireBytes;
    this.#account = limits.memory.open();
    const signal = AbortSignal.any([context.signal, this.#stop.signal]);
    this.#job = { ...job, signal, onResumed: context.onResumed };
    this.#next = fromByte;
    this.#begin(toByte!, (range) => this.#counted(readPartRange(this.#job, supply, range, asRange(first))));
  }

  /** The next range, in order; `undefined` after the last one. Others are on their way meanwhile. */
  shift(): AsyncGenerator<Uint8Array> | undefined {
    // Without memory for one that comes before its turn, this one begins when its turn comes, and needs none.
    if (this.#ranges.length === 0) this.#begin(this.#nextEnd, (range) => this.#counted(this.#bytesOf(range)));
    this.#fill();
    return this.#ranges.shift();
  }

  close(): void {
    this.#stop.abort(new DOMException("The part is not read any more", "AbortError"));
    this.#account.close();
  }

  /** Asks for more ranges, as far as connections and memory allow. */
  #fill(): void {
    const { connections } = this.#limits;
    while (
      this.#next < this.#wireBytes &&
      this.#underWay < connections &&
      this.#ranges.length < rangesPerConnection * connections - 1 &&
      this.#account.tryTake(this.#rangeBytes, false)
    )
      this.#begin(this.#nextEnd, (range) => this.#readAhead(range));
  }

  get #nextEnd(): number {
    return Math.min(this.#next + this.#rangeBytes, this.#wireBytes);
  }

  #begin(toByte: number, read: (range: PartRange) => AsyncGenerator<Uint8Array>): void {
    if (this.#next >= this.#wireBytes) return;
    const range = { index: this.#part.index, fromByte: this.#next, toByte };
    this.#next = toByte;
    this.#underWay += 1;
    this.#ranges.push(read(range));
  }

  /** Reads a range at once, and hands it out when its turn comes. */
  #readAhead(range: PartRange): AsyncGenerator<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let isOver = false;
    let failure: { readonly cause: unknown } | undefined;
    let notify = () => {};
    const reading = (async () => {
      for await (const piece of this.#bytesOf(range)) {
        pieces.push(piece);
        notify();
      }
    })();
    void reading
      .catch((cause: unknown) => {
        failure = { cause };
      })
      .finally(() => {
        isOver = true;
        this.#ended();
        notify();
      });
    const give = () => this.#account.give(this.#rangeBytes);
    return (async function* () {
      for (;;) {
        const piece = pieces.shift();
        if (piece) yield piece;
        else if (failure) throw failure.cause;
        else if (isOver) return give();
        else await new Promise<void>((resolve) => (notify = resolve));
      }
    })();
  }

  async *#counted(range: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
    yield* range;
    this.#ended();
  }

  #ended(): void {
    this.#underWay -= 1;
    if (!this.#stop.signal.aborted) this.#fill();
  }

  async *#bytesOf(range: PartRange): AsyncGenerator<Uint8Array> {
    try {
      const file = await this.#open(range);
      yield* readPartRange(this.#job, this.#part.supply, range, file);
    } catch (failure) {
      throw await withoutOtherFile(failure);
    }
  }

  async #open(range: PartRange): Promise<UpstreamFile> {
    const { signal, retry } = this.#job;
    const file = await withRetries(createRetries(retry), signal, () =>
      openPartRange(this.#part.supply, range, this.#etag, signal),
    );
    if (file.response.fromByte === range.fromByte) return file;
    throw new FileRestarted(file, undefined);
  }
}

/** The part's first range, looked at as a file that ends with it. */
const asRange = ({ request, response }: UpstreamFile): UpstreamFile => ({
  request,
  response: { ...response, fileBytes: response.toByte },
});

/** 412: another file is there. 416: one that is shorter. Anything but the range: a server that does not hand out ranges any more. */
async function withoutOtherFile(failure: unknown): Promise<unknown> {
  const { status } = failure as { status?: number };
  if (failure instanceof FileRestarted) await discard(failure.file.response);
  else if (status !== 412 && status !== 416) return failure;
  return new OtherFile("The range is not one of the same file", { cause: failure });
}
