// Counts what the loopback API was asked and what it sent, so that tests and benchmarks can hold the library to it.
import type { IncomingHttpHeaders } from "node:http";

/** One request as it arrived, with the status it was answered with (0 until then). */
export interface LoggedRequest {
  /** `api`, or `files`: the second origin, which `faults.redirect` leads to and where release assets are. */
  readonly listener: "api" | "files";
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  status: number;
}

/** Counts since the start or the last `reset`. */
export interface Counters {
  /** All requests, of both origins. */
  requests: number;
  metadataRequests: number;
  /** Requests of `/download`, whatever the answer. */
  downloads: number;
  /** Downloads answered 200 or 206 whose body was begun. */
  transfers: number;
  /** Body bytes of downloads, as handed to the socket. */
  bytesSent: number;
  /** Downloads answered 304. */
  notModified: number;
  /** Requests of release assets, whatever the answer, and bytes of their bodies: no part of the counts above but `requests`. */
  assetRequests: number;
  assetBytes: number;
  /** Responses of downloads and assets in flight now; `reset` leaves it. */
  openConnections: number;
  requestLog: LoggedRequest[];
  /** Sets all to zero but `openConnections`. */
  reset(): void;
}

/** Counters at zero. */
export function createCounters(): Counters {
  const zero = () => ({
    requests: 0,
    metadataRequests: 0,
    downloads: 0,
    transfers: 0,
    bytesSent: 0,
    notModified: 0,
    assetRequests: 0,
    assetBytes: 0,
    requestLog: [],
  });
  return {
    ...zero(),
    openConnections: 0,
    reset() {
      Object.assign(this, zero());
    },
  };
}
