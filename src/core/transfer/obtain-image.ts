/** Gets the image of one transfer: from the upstream, or along with another process that transfers it already. */
import type { ManagerContext } from "../context.ts";
import { ImageChangedError, StoreError, TruncatedDownloadError } from "../errors.ts";
import type { TransferWindow } from "../memory/window.ts";
import type { Turn } from "../sharing/lease.ts";
import type { Share } from "../sharing/share.ts";
import type { WirePieces } from "../sharing/wire-pieces.ts";
import type { Journal } from "../store/journal.ts";
import { chunkLength, type Manifest } from "../store/manifest.ts";
import { downloadImage } from "../upstream/download.ts";
import { discard } from "../upstream/file-response.ts";
import type { DownloadResult, DownloadSink, UpstreamFile } from "../upstream/job.ts";
import type { RequestConditions } from "../upstream/request.ts";
import type { ChunkSink } from "./chunk-sink.ts";
import type { Committer } from "./committer.ts";
import type { Upstream } from "./open-upstream.ts";
import { resumeFrom } from "./resume.ts";
import { maxRunsInVain, runsInVain } from "./runs-in-vain.ts";
import type { Tally } from "./tally.ts";
import { headOfFile, headOfJournal, journalHeader, type TransferStart } from "./transfer-head.ts";
import type { Outcome, TransferOptions } from "./transfer-options.ts";

/** What a transfer works with. */
export interface TransferWork {
  readonly context: ManagerContext;
  readonly options: TransferOptions;
  readonly window: TransferWindow;
  readonly upstream: Upstream;
  readonly committer: Committer;
  readonly sink: ChunkSink;
  readonly share: Share;
  readonly pieces: WirePieces;
  readonly tally: Tally;
  readonly signal: AbortSignal;
  /** Called when something moves, for those who watch the lease. */
  readonly moved: () => void;
}

/** `setStarted` is called as soon as it is known what readers will get. */
export async function obtainImage(
  work: TransferWork,
  setStarted: (start: TransferStart) => void,
): Promise<Outcome> {
  const { upstream, committer, share } = work;
  let first: UpstreamFile | undefined;
  if (work.options.isConditional) {
    const file = await upstream.openUnlessFresh();
    if ("fresh" in file) {
      const { durationMs } = work.tally.cost();
      work.context.emit({ type: "revalidated", image: work.options.id, durationMs });
      const outcome = committer.confirm(file.fresh);
      setStarted({ kind: "cached" });
      return outcome;
    }
    first = file;
  }
  for (;;) {
    const turn = await share.contend();
    // Before it was our turn, another process may have come to its end.
    const manifest = turn.kind === "own" && turn.lease && (await committer.committedMeanwhile());
    if (manifest) {
      if (first) await discard(first.response);
      return takeOver(work, manifest, setStarted);
    }
    if (turn.kind === "own") return transferOurselves(work, first, turn, setStarted);
    if (first) await discard(first.response);
    first = undefined;
    await share.follow(turn, (header) => setStarted(headOfJournal(header)));
  }
}

async function transferOurselves(
  work: TransferWork,
  first: UpstreamFile | undefined,
  { journals, killed }: Extract<Turn, { kind: "own" }>,
  setStarted: (start: TransferStart) => void,
): Promise<Outcome> {
  const { context, upstream, window, share } = work;
  const journal = journals.length > 0 ? await share.readJournal(journals) : undefined;
  const inVain = journal ? runsInVain(journal, killed, context.now()) : 0;
  const isCutOff = inVain >= maxRunsInVain && !work.options.insistsOnStoring;
  if (isCutOff) await deliverOnly(work, inVain);
  const resumed = journal && !isCutOff ? await resume(work, first, journal) : undefined;
  const file = resumed ?? first ?? (await upstream.open({}));
  takeChunkSize(work, file);
  const body = headOfFile(file);
  setStarted(body);
  await work.committer.makeRoom(body);
  const header = journalHeader(work.options.identity, file, window.chunkBytes, context.now());
  share.keepJournal({ ...header, killed, inVain }, file.parts?.supply.parts);
  return finish(work, await downloadImage(upstream.job, file, watchedSink(work)));
}

/** With the source's own chunks, those that the store has are not fetched. If some of ours are known already, the bytes are cut anew. */
function takeChunkSize({ context, window }: TransferWork, { chunkBytes, response }: UpstreamFile): void {
  if (chunkBytes === undefined || response.fromByte !== 0 || chunkBytes === window.chunkBytes) return;
  if (chunkBytes <= context.store.maxValueBytes) window.resize(chunkBytes);
}

/** Nothing is stored, and what earlier processes have stored stays for one that has more time. */
async function deliverOnly(
  { context, options, committer, sink, pieces, share }: TransferWork,
  runs: number,
): Promise<void> {
  context.emit({ type: "cut-off", image: options.id, runs });
  committer.preventCommit(
    new StoreError(
      `${runs} processes were killed before they got further with the image, so it is not stored`,
    ),
  );
  sink.stopStoring();
  pieces.giveUp();
  await share.leave(false);
}

/** The rest of what an earlier transfer left, if its file can be read on. */
async function resume(
  work: TransferWork,
  first: UpstreamFile | undefined,
  journal: Journal,
): Promise<UpstreamFile | undefined> {
  const { upstream, window, pieces, signal, moved } = work;
  inherit(work, journal);
  const { validators } = journal.header;
  if (first && first.response.validators.etag !== validators.etag) return undefined;
  const open = (conditions: RequestConditions) => upstream.open(conditions, [validators.fileType]);
  const { store, hash, codec, memory } = work.context;
  const place = { store, hash, codec, memory };
  const file = await resumeFrom(journal, window, pieces, { ...place, signal, moved, open });
  if (!file) return undefined;
  if (first) await discard(first.response);
  upstream.job.onResumed(file.response.fromByte ?? 0, undefined);
  return file;
}

/** The chunks of an earlier transfer are ours from now on: its journal is deleted, even if we do not go on from it. */
function inherit({ committer }: TransferWork, { header: { chunkBytes }, digests, stored }: Journal): void {
  for (const [index, digest] of digests.entries())
    if (digest !== null) committer.written.set(digest, stored[index] ?? { bytes: chunkBytes });
}

function watchedSink({ sink, share, committer, moved }: TransferWork): DownloadSink {
  return {
    ...sink,
    write: (piece) => {
      moved();
      return sink.write(piece);
    },
    rewind: async (mark, how) => {
      await sink.rewind(mark, how);
      if (how === "compare") return;
      committer.fileSha256?.takeBack(mark.chunk);
      await share.takeBack(mark.chunk);
    },
  };
}

/** Another process has committed the image: those who read along get the rest from the store. */
function takeOver(
  { window }: TransferWork,
  manifest: Manifest,
  setStarted: (start: TransferStart) => void,
): Outcome {
  const isOtherSize = manifest.chunkBytes !== window.chunkBytes && !window.resize(manifest.chunkBytes);
  if (isOtherSize || window.digests.length > manifest.chunks.length) {
    throw new ImageChangedError("Another process has stored different bytes of the same version");
  }
  // A follower may have been told of chunks that failed the check of their part since. A reader that has not read them gets the right ones.
  const firstOther = window.digests.findIndex((digest, index) => digest !== manifest.chunks[index]);
  if (firstOther !== -1) window.takeBack(firstOther);
  for (const [index, digest] of manifest.chunks.entries())
    window.adopt(index, digest, chunkLength(manifest, index));
  setStarted({ kind: "cached" });
  return { manifest };
}

async function finish(work: TransferWork, { isProven, file }: DownloadResult): Promise<Outcome> {
  const { context, window, tally } = work;
  await work.sink.finish();
  if (context.maxBytes !== undefined) await work.pieces.giveRoom(); // to the image, which may need it
  const facts = { image: work.options.id, size: window.size };
  if (!isProven) {
    context.emit({ type: "unproven", ...facts, ...tally.cost() });
    const message = "Nothing proves that the download is complete";
    return { obstacle: new TruncatedDownloadError(message, window.size) };
  }
  const outcome = await commit(work, file);
  const { obstacle: cause } = outcome;
  if (cause) context.emit({ type: "not-stored", ...facts, cause, ...tally.cost() });
  else context.emit({ type: "committed", ...facts, ...tally.cost() });
  return outcome;
}

async function commit(
  { committer, window, signal, moved }: TransferWork,
  file: UpstreamFile,
): Promise<Outcome> {
  const { obstacle } = committer;
  if (obstacle) return { obstacle };
  return committer.commit(window, file, () => {
    signal.throwIfAborted();
    moved();
  });
}
