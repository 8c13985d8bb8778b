// Code that copes with a fault, most of it once written to mend one, and how to take it out. The simulation has to notice.

import { takenBackDisk } from "./taken-back-disk.ts";

/** One place: the text of a source file, and what stands there instead. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly put: string;
}

/** One thing that the library does, and the code without it. */
export interface TakenBack {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** Why no seed can find it. */
  readonly harmless?: string;
}

export const takenBack: readonly TakenBack[] = [
  {
    name: "the digest of a stored chunk is compared",
    edits: [
      {
        file: "src/core/store/chunk-store.ts",
        find: "return sha256 === expected ? bytes : undefined;",
        put: "return sha256 ? bytes : undefined;",
      },
      {
        file: "src/core/store/chunk-store.ts",
        find: "return sha256 === digest ? bytes : undefined;",
        put: "return sha256 ? bytes : undefined;",
      },
    ],
  },
  {
    name: "a partial answer must begin where it was asked to",
    edits: [
      {
        file: "src/core/upstream/read-file.ts",
        find: "if (fromByte !== offset || isCoded) return false;",
        put: "if (isCoded) return false;",
      },
    ],
  },
  {
    name: "the rest of a file must have its validator",
    edits: [
      {
        file: "src/core/upstream/read-file.ts",
        find: "if (validators.etag !== undefined && validators.etag !== file.etag) return false;",
        put: "",
      },
      {
        file: "src/core/upstream/read-file.ts",
        find: "return file.fileBytes === undefined || fileBytes === file.fileBytes;",
        put: "return true;",
      },
    ],
  },
  {
    name: "a body that ends early is an error",
    edits: [
      {
        file: "src/core/upstream/read-file.ts",
        find: "if (fileBytes === undefined || offset === fileBytes) return;",
        put: "if (offset > 0) return;",
      },
    ],
  },
  {
    name: "a connection that stands still is given up",
    edits: [
      {
        file: "src/core/upstream/read-file.ts",
        find: "if (isIdle) onIdle();",
        put: "if (isIdle) timer = undefined;",
      },
    ],
  },
  {
    name: "bytes that come again are compared with those that were delivered",
    edits: [
      {
        file: "src/core/memory/chunk-list.ts",
        find: "if ((known !== undefined && known !== digest) || isOtherLength) {",
        put: "if (known === undefined && isOtherLength) {",
      },
    ],
  },
  {
    name: "an image that comes again must not be shorter",
    edits: [
      {
        file: "src/core/memory/chunk-list.ts",
        find: "if (count >= Math.max(this.digests.length, this.#expected.length)) return;",
        put: "if (count >= 0) return;",
      },
    ],
  },
  {
    name: "a lease of another process is followed",
    edits: [
      {
        file: "src/core/sharing/lease.ts",
        find: "if (current !== undefined && record && !isStalled(current, record))",
        put: "if (current !== undefined && record && isStalled(current, record) && current < 0)",
      },
    ],
  },
  {
    name: "an owner without a heartbeat is taken over from",
    edits: [
      {
        file: "src/core/sharing/lease.ts",
        find: "return nowMs - seen.sinceMs > times.ttlMs || nowMs - seen.movedMs > times.ttlMs + quietMs;",
        put: "return nowMs < 0 && quietMs < 0;",
      },
    ],
  },
  {
    name: "who takes over deletes the old lease",
    edits: [
      {
        file: "src/core/sharing/lease.ts",
        find: "await Promise.all(leases.map((old) => store.remove(leaseKey(id, old))));",
        put: "",
      },
    ],
  },
  {
    name: "an owner that was paused sees that it has lost",
    edits: [
      {
        file: "src/core/sharing/lease.ts",
        find: "isLost = (await readLease(store, id, epoch))?.owner !== owner;",
        put: "await readLease(store, id, epoch);",
      },
    ],
  },
  {
    name: "a released lease is deleted",
    edits: [
      {
        file: "src/core/sharing/lease.ts",
        find: "await store.remove(key).catch((cause: unknown) => {",
        put: "await Promise.resolve().catch((cause: unknown) => {",
      },
    ],
  },
  {
    name: "what an earlier process has stored is gone on from",
    edits: [
      {
        file: "src/core/transfer/obtain-image.ts",
        find: "const journal = journals.length > 0 ? await share.readJournal(journals) : undefined;",
        put: "const journal = journals.length > 999 ? await share.readJournal(journals) : undefined;",
      },
    ],
  },
  {
    name: "a journal must agree with the chunks that readers have",
    edits: [
      {
        file: "src/core/transfer/resume.ts",
        find: "digests.length >= window.digests.length &&\n    window.digests.every((digest, index) => digest === digests[index])",
        put: "true",
      },
    ],
  },
  {
    name: "chunks of a part that failed its check leave the journal",
    edits: [
      {
        file: "src/core/transfer/obtain-image.ts",
        find: "await share.takeBack(mark.chunk);",
        put: "",
      },
    ],
  },
  {
    name: "chunks of a part under way, of which nothing is kept, are read by nobody before its check",
    edits: [
      {
        file: "src/core/transfer/resume-parts.ts",
        find: "const usable = kept.has(index) ? chunks : Math.min(chunks, mark?.chunk ?? 0);",
        put: "const usable = chunks;",
      },
    ],
  },
  {
    name: "bytes of a part that is finished are not kept any more",
    edits: [
      {
        file: "src/core/sharing/wire-pieces.ts",
        find: "if (!this.#names || this.#finished.has(part) || this.#endOf(part) !== offset) return;",
        put: "if (!this.#names || this.#endOf(part) !== offset) return;",
      },
    ],
  },
  {
    name: "a transfer waits for its last writes",
    edits: [
      {
        file: "src/core/transfer/chunk-sink.ts",
        find: "while (writes.size > 0) await Promise.all(writes);",
        put: "",
      },
    ],
  },
  {
    name: "chunks that nothing will name are gone before the next owner writes the same ones",
    edits: [
      {
        file: "src/core/sharing/share.ts",
        find: "await this.#options.onLeaving();\n    await lease?.release(!this.isJournalLeft);",
        put: "await lease?.release(!this.isJournalLeft);\n    await this.#options.onLeaving();",
      },
    ],
  },
  {
    name: "a transfer loses its commit if the cache is cleaned",
    edits: [
      {
        file: "src/core/transfer/transfer.ts",
        find: 'this.#committer.preventCommit(new StoreError("The cache was cleaned during the download"));\n    this.#sink.stopStoring();',
        put: "",
      },
      {
        file: "src/core/transfer/committer.ts",
        find: "if (await this.#hasLostChunks(manifest)) return { obstacle: this.#lost() };",
        put: "",
      },
    ],
  },
  {
    name: "cleaning deletes manifests first",
    edits: [
      {
        file: "src/core/operations/clean-cache.ts",
        find: "await store.removeMany(keys.filter(isManifest));",
        put: "",
      },
      {
        file: "src/core/operations/clean-cache.ts",
        find: "await store.removeMany(keys.filter((key) => !isManifest(key)));",
        put: "await store.removeMany(keys.toSorted((a, b) => Number(isManifest(a)) - Number(isManifest(b))));",
      },
    ],
  },
  {
    name: "in doubt, a download that fails deletes none of its chunks",
    edits: [
      {
        file: "src/core/retention/discard.ts",
        find: "if (stock.isUncertain) return;",
        put: "",
      },
    ],
  },
  {
    name: "orphans are swept",
    edits: [
      {
        file: "src/core/retention/orphans.ts",
        find: "await context.store.removeMany(removed.map(chunkKey));",
        put: "",
      },
    ],
  },
  {
    name: "orphans are deleted when they are seen twice",
    edits: [
      {
        file: "src/core/retention/orphans.ts",
        find: "orphans.filter((digest) => seenBefore.has(digest)),",
        put: 'orphans.filter((digest) => digest !== ""),',
      },
    ],
  },
  {
    name: "room is made before chunks are written",
    edits: [
      {
        file: "src/core/retention/room.ts",
        find: "if (maxBytes !== undefined && !(room.usedBytes + bytes <= maxBytes)) return false;",
        put: "",
      },
    ],
  },
  {
    name: "a chunk that was healed is written again",
    edits: [
      {
        file: "src/core/delivery/heal-range.ts",
        find: "await writeChunk(context, digest, chunk.slice());",
        put: "",
      },
    ],
  },
  {
    name: "a stream that needs another way again and again is given up",
    edits: [
      {
        file: "src/core/delivery/open-image.ts",
        find: "if (count > maxRecoveries) throw beyondRecovery(failure);\n    if (count > 1) await pauseBeforeRetry(context.retry, count, failure, get.signal);",
        put: "",
      },
    ],
  },
  {
    name: "failures without progress are counted, with growing pauses",
    edits: [
      {
        file: "src/core/upstream/retry.ts",
        find: "if (failures >= policy.attempts) {",
        put: "if (failures >= policy.attempts * 50) {",
      },
      {
        file: "src/core/upstream/retry.ts",
        find: "const ceilingMs = Math.min(policy.maxDelayMs, policy.minDelayMs * 2 ** (failures - 1));",
        put: "const ceilingMs = policy.minDelayMs / 20;",
      },
    ],
  },
  {
    name: "queries of URLs are cut out of messages",
    edits: [
      {
        file: "src/core/foreign-error.ts",
        find: '.replace(/\\?[^\\s"\'<>]*/g, (query) => (query.includes("=") ? "?[query]" : query));',
        put: ";",
      },
    ],
  },
  {
    name: "secrets of a request are blotted out of foreign errors",
    edits: [
      {
        file: "src/core/foreign-error.ts",
        find: 'const blotted = formsOf(secrets).reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);',
        put: "const blotted = formsOf(secrets).reduce((rest) => rest, text);",
      },
      {
        file: "src/core/foreign-error.ts",
        find: '.replace(/\\b(Bearer|Basic) +[^\\s"\',]+/gi, "$1 [secret]")',
        put: "",
      },
    ],
  },
  {
    name: "the promise of `committed()` is never an unhandled rejection",
    edits: [
      {
        file: "src/core/delivery/open-image.ts",
        find: "result.catch(() => undefined); // nobody has to await it; an `async` function would return another promise",
        put: "",
      },
    ],
  },
  {
    name: "a version list is asked for once more if a remembered version was withdrawn",
    edits: [
      {
        file: "src/core/delivery/find-image.ts",
        find: "if (!resolved.isRemembered || !isNotThere(failure)) throw failure;",
        put: "if (resolved || isNotThere(failure)) throw failure;",
      },
    ],
  },
  ...takenBackDisk,
];
