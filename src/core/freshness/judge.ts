/** Decides whether a stored representation is still the upstream's. It is the table of docs/freshness.md; the first match wins. */

import type { Validators } from "./validators.ts";
import { dateOfHeader } from "./validators.ts";

/** Compares what was stored with what the upstream says now of the same file. */
export function judgeFreshness(stored: Validators, upstream: Validators): "fresh" | "stale" {
  const verdict = (isFresh: boolean) => (isFresh ? "fresh" : "stale");

  if (isStrongEtag(stored.etag) && isStrongEtag(upstream.etag)) return verdict(stored.etag === upstream.etag);
  // Compared weakly, as for If-None-Match (RFC 9110, 8.8.3.2): equal ones may still stand for other bytes.
  if (isEtag(stored.etag) && isEtag(upstream.etag) && opaque(stored.etag) !== opaque(upstream.etag))
    return "stale";
  if (stored.size !== undefined && upstream.size !== undefined && stored.size !== upstream.size)
    return "stale";

  const [storedTime, upstreamTime] = [time(stored.lastModified), time(upstream.lastModified)];
  if (storedTime !== undefined && upstreamTime !== undefined) return verdict(storedTime === upstreamTime);
  // Version 10's rule: a file last changed before we fetched it is the file that we fetched.
  const fetchedAt = time(stored.date);
  if (upstreamTime !== undefined && fetchedAt !== undefined) return verdict(upstreamTime < fetchedAt);

  return "fresh"; // nothing is known against it, and a release is immutable
}

/** A validator that stands for the very bytes (RFC 9110, 8.8.1): present, quoted and not weak. */
export function isStrongEtag(etag: string | undefined): etag is string {
  return etag !== undefined && /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(etag);
}

const isEtag = (etag: string | undefined): etag is string => etag !== undefined && isStrongEtag(opaque(etag));
const opaque = (etag: string) => etag.replace(/^W\//, "");
const time = (header: string | undefined) => dateOfHeader(header)?.getTime();
