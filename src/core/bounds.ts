/**
 * The limits of everything that comes from outside, in one table. A server or store must not decide how much memory or time its answer
 * costs. Each limit is far above what honest servers and stores have ever sent.
 */

const KiB = 1024;
const MiB = 1024 * KiB;

/** Bytes, unless the name says otherwise. A larger value is refused, or counts as missing. A simulation puts smaller ones in. */
export const bounds = {
  /** Answer of the upstream to a look-up (versions, device types), after inflating. balena's largest lists have about 1 MiB. */
  lookUpBytes: 64 * MiB,
  /** Body of an answer that is a refusal. Only a code and a message are looked for in it. */
  errorPageBytes: 64 * KiB,
  /** Characters of a server's own words that an error quotes. */
  quotedCharacters: 200,
  /** Characters of a header's value that is kept and sent again, such as an ETag. Servers refuse 8 KiB of headers in all. */
  headerCharacters: 4 * KiB,

  /** A page of a store's listing. S3's have 1,000 names of up to 1,024 bytes, of which escaping makes three times as many. */
  listingPageBytes: 16 * MiB,
  /** Pages of one listing. Redis may have a hundred million keys of other programs, which it skips 1,000 at a time. */
  listingPages: 100_000,
  /** Keys of one listing: 40 TB in chunks of 4 MiB. */
  listedKeys: 10_000_000,

  /** The smallest `chunkBytes`: below it, requests to a store would outweigh the bytes. */
  leastChunkBytes: 256 * KiB,
  /**
   * A value of this size tells how fast a store is. How long a smaller one takes is a matter of the way to the store. One that is written is
   * timed by its size and progress from here on, and smaller ones as a whole.
   */
  pacedValueBytes: 64 * KiB,
  /** A chunk's raw bytes: the largest `chunkBytes`. */
  chunkBytes: 64 * MiB,
  /** Bytes that a stored chunk may have on top of its raw bytes: gzip and zstd add up to 5 bytes to each 32 KiB, and a header. */
  chunkEncodingBytes: 64 * KiB,
  /** A manifest: a million chunks, so 256 GiB in the smallest and 4 TiB in the default ones. */
  manifestBytes: 64 * MiB,
  /** A segment of a journal. The first one of a successor names all chunks that it took over. */
  journalSegmentBytes: 64 * MiB,
  /** Compressed bytes of a part that are kept as one value. */
  wirePieceBytes: 16 * MiB,
  /** What is remembered of a device type's versions. */
  catalogBytes: 64 * MiB,
  /** A lease or a last use. Ours have about 100 bytes. */
  recordBytes: 64 * KiB,
  /** A record of the ledger. Ours have 2 MiB, or one image: 4 MiB for a million chunks. */
  ledgerBytes: 16 * MiB,
  /** Any other value that the library keeps. */
  valueBytes: 64 * MiB,
  /** Body of a request to the HTTP handler: what boot files may have. It is held in memory. */
  requestBodyBytes: 64 * MiB,
  /** All spans of one edit: twice what boot files may have. They are in memory until the stream ends. */
  editBytes: 128 * MiB,
  /** What an edit reads at a time. */
  editReadBytes: 64 * MiB,
  /** The shortest key for ETags of edited images: below it, the key itself could be guessed. */
  leastEditKeyBytes: 16,
  /** The longest one. */
  editKeyBytes: 1 * KiB,
  /** Milliseconds of a timer. A timer of 2^31 ms or more fires at once. */
  timerMs: 2 ** 31 - 1,
  /** The limit of an adapter's read if the caller gives none: the largest value of Redis. The core always gives a limit. */
  unboundedReadBytes: 512 * MiB,
} as const;
