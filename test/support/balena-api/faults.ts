// The switches for everything that can go wrong upstream. All are off by default; set them at any time, `reset()` clears.

/** When an incident strikes: by default every time until `reset()`. */
export interface Limited {
  /** Requests it strikes, then it is spent (the object must be new to strike again). Default: all. */
  times?: number;
  /** Requests it lets through first. Default 0. */
  skip?: number;
}

/** A place in the body of this response (not of the file: a resumed one counts from its own first byte). */
export interface Place {
  /** Share of the body, 0 to 100. */
  atPercent?: number;
  /** Bytes of the body; wins over `atPercent`. */
  atByte?: number;
}

/** An error status in place of an answer. */
export interface Refusal extends Limited {
  status: number;
  /** Retry-After: seconds, or an HTTP date. */
  retryAfter?: number | string;
  /** Sent as JSON. Default: the API's words for the status. */
  body?: unknown;
}

/** Faults of every endpoint but `/download`. */
export interface MetadataFaults {
  refuse: Refusal | undefined;
  /** The connection is closed without an answer. */
  lose: Limited | undefined;
  /** Wait before the answer. */
  latencyMs: number;
}

/** How a body ends short though its end looks clean. */
export type ShortEnd =
  /** The whole length is announced, the connection is then closed in an orderly way (FIN). */
  | "content-length"
  /** Chunked, with its closing chunk: nothing in the framing tells. */
  | "chunked"
  /** The short length itself is announced: nothing in the framing tells. */
  | "gzip-file"
  /** Content coding gzip, whatever was asked for, chunked, with its closing chunk; the coding lacks its end. */
  | "gzip-coding";

/** Faults and traits of release assets. The pace of a link is that of all downloads. */
export interface AssetFaults {
  /** An error status, with XML for a body. */
  refuse: Refusal | undefined;
  lose: (Limited & Place & { reset?: boolean }) | undefined;
  endShort: (Limited & Place & { how: Exclude<ShortEnd, "gzip-coding"> }) | undefined;
  stall: (Limited & Place & { forMs?: number }) | undefined;
  /** The asset is another one, with another ETag. */
  change: Limited | undefined;
  /** `off`: 200 to every range. */
  ranges: "on" | "off";
  /** Wait before the headers. */
  latencyMs: number;
  /** How long a link is good for, from the query on; whole seconds. */
  expiresInMs: number;
}

/** Faults and traits of `/download`. */
export interface DownloadFaults {
  /** The connection is destroyed; `reset: true` makes it a TCP reset, which can also take bytes that a slow client has not read. */
  lose: (Limited & Place & { reset?: boolean }) | undefined;
  /** The body ends short, cleanly. */
  endShort: (Limited & Place & { how: ShortEnd }) | undefined;
  /** The body pauses: for a time, until a test says so, or until the client leaves. */
  stall: (Limited & Place & { forMs?: number; until?: Promise<unknown> }) | undefined;
  /** An error status; `fileTypes` narrows it, for example to `['.gz']`, and `methods`, for example to `['HEAD']`. */
  refuse: (Refusal & { fileTypes?: readonly string[]; methods?: readonly string[] }) | undefined;
  /** 302 to the files listener (another origin), to this origin, or to itself for ever. */
  redirect: (Limited & { to: "other-origin" | "same-origin" | "loop" }) | undefined;
  /**
   * The image is another one, its validators are, or both (one alone is a lying server). `skip: 1`: from the second answer on, that is
   * from the next reconnect.
   */
  change: (Limited & { content: boolean; validators: boolean }) | undefined;

  /** Bytes per second over all downloads together; `undefined`: no limit. */
  linkBytesPerSecond: number | undefined;
  /** Bytes per second of each download. */
  connectionBytesPerSecond: number | undefined;
  /** Wait before the headers. */
  latencyMs: number;
  /**
   * `on`: as RFC 9110. `off`: 200, without Accept-Ranges. `ignored`: Accept-Ranges, yet 200. `wrong`: 206 that honestly says it is another
   * range. `lying`: 206 that says what was asked and sends other bytes. `unsatisfiable`: always 416.
   */
  ranges: "on" | "off" | "ignored" | "wrong" | "lying" | "unsatisfiable";
  etag: "strong" | "weak" | "none";
  lastModified: Date | "none";
  /** The Date header; `undefined`: the time. */
  date: Date | "none" | undefined;
  /** `omitted`: chunked and complete. `too-large`: announces 1000 bytes more than come, then closes. */
  contentLength: "exact" | "omitted" | "too-large";
  /** Junk bytes after the file, part of its announced length. */
  extraBytes: number;
  /** What the junk consists of. */
  extraByte: number;
  /** `forced`: content coding gzip although the client declined it. */
  contentCoding: "negotiated" | "forced";
  /** Members of the `.gz` file. */
  gzipMembers: number;
  /**
   * The time that configured images are made at: their bytes depend on it. `undefined`: now, and each one later than the one before, so
   * that no two have the same bytes, as at balena.
   */
  imageMakerClock: Date | undefined;
  /** What the download-size endpoint says; `undefined`: the truth. */
  downloadSize: number | undefined;

  metadata: MetadataFaults;
  assets: AssetFaults;
  /** Back to a faultless upstream, with the traits that it was started with. */
  reset(): void;
}

/** Last-Modified of downloads with validators, unless a test says otherwise. */
export const defaultLastModified = new Date("2026-03-04T05:06:07Z");

/** How `/download` answers while no fault is set: see `BalenaApiOptions`. */
export type DownloadKind = "as-balena" | "with-validators";

/** All switches off, for downloads of that kind. */
export function createFaults(downloads: DownloadKind, imageMakerClock: Date | undefined): DownloadFaults {
  const calm = () => ({ ...faultless(), ...downloadTraits[downloads], imageMakerClock });
  return {
    ...calm(),
    reset() {
      for (const value of [
        ...Object.values(this),
        ...Object.values(this.metadata),
        ...Object.values(this.assets),
      ])
        seen.delete(value);
      Object.assign(this, calm());
    },
  };
}

/** The traits that make each kind: `Object.assign(api.faults, downloadTraits["with-validators"])` turns one test's downloads. */
export const downloadTraits = {
  "as-balena": { ranges: "off", etag: "none", lastModified: "none" },
  "with-validators": { ranges: "on", etag: "strong", lastModified: defaultLastModified },
} as const;

/** Whether an incident strikes this request; counts it. */
export function strikes<T extends Limited>(incident: T | undefined): incident is T {
  const due = isDue(incident);
  if (incident !== undefined) seen.set(incident, (seen.get(incident) ?? 0) + 1);
  return due;
}

/** Whether an incident will strike the next request, without counting it. */
export function isDue<T extends Limited>(incident: T | undefined): incident is T {
  if (incident === undefined) return false;
  const [skip, times, count] = [
    incident.skip ?? 0,
    incident.times ?? Number.POSITIVE_INFINITY,
    seen.get(incident) ?? 0,
  ];
  return count >= skip && count < skip + times;
}

// Kept outside the switches so that a test's object is never written to.
const seen = new WeakMap<object, number>();

function faultless(): Omit<
  DownloadFaults,
  "reset" | keyof (typeof downloadTraits)["as-balena"] | "imageMakerClock"
> {
  return {
    lose: undefined,
    endShort: undefined,
    stall: undefined,
    refuse: undefined,
    redirect: undefined,
    change: undefined,
    linkBytesPerSecond: undefined,
    connectionBytesPerSecond: undefined,
    latencyMs: 0,
    date: undefined,
    contentLength: "exact",
    extraBytes: 0,
    extraByte: 0x2a,
    contentCoding: "negotiated",
    gzipMembers: 1,
    downloadSize: undefined,
    metadata: { refuse: undefined, lose: undefined, latencyMs: 0 },
    assets: {
      ...{ refuse: undefined, lose: undefined, endShort: undefined, stall: undefined, change: undefined },
      ranges: "on",
      latencyMs: 0,
      expiresInMs: 24 * 60 * 60 * 1000,
    },
  };
}
