// What the upstream does wrong during a run. Only what a client can notice: the bytes of an image never change.
import type { DownloadFaults } from "../support/balena-api/index.ts";
import type { Random } from "./random.ts";

const MiB = 1024 * 1024;

/** Changes one of its faults at random, or ends them all; says what. */
export function breakUpstream(random: Random, faults: DownloadFaults): string {
  const place = { atPercent: random.int(0, 99), times: random.int(1, 4), skip: random.int(0, 2) };
  const change = random.weighted<Partial<DownloadFaults>>([
    [5, { lose: { ...place, reset: random.chance(0.3) } }],
    [3, { endShort: { ...place, how: "content-length" } }],
    [3, { stall: { ...place, forMs: random.int(200, 3000) } }],
    [
      2,
      {
        refuse: {
          status: random.pick([429, 500, 502, 503]),
          times: random.int(1, 3),
          retryAfter: random.int(0, 1),
        },
      },
    ],
    [1, { refuse: { status: 415, times: 1, fileTypes: [".gz"] } }],
    [3, { ranges: random.pick(["on", "on", "off", "ignored", "wrong", "unsatisfiable"]) }],
    [2, { etag: random.pick(["strong", "strong", "strong", "weak", "none"]) }],
    [1, { contentLength: random.pick(["exact", "exact", "omitted"]) }],
    [3, { latencyMs: random.int(0, 600) }],
    [4, { linkBytesPerSecond: random.pick([undefined, 4 * MiB, 8 * MiB, 20 * MiB]) }],
    [2, { connectionBytesPerSecond: random.pick([undefined, undefined, 2 * MiB, 6 * MiB]) }],
    [1, { redirect: { to: random.pick(["other-origin", "same-origin"]), times: random.int(1, 5) } }],
    [2, { metadata: metadataFaults(random) }],
  ]);
  if (random.chance(0.1)) {
    calmUpstream(faults);
    return "calm";
  }
  Object.assign(faults, change);
  return JSON.stringify(change);
}

/** Ends all faults. How its files are packed stays: that changes their bytes. */
export function calmUpstream(faults: DownloadFaults): void {
  const { gzipMembers } = faults;
  faults.reset();
  faults.gzipMembers = gzipMembers;
}

function metadataFaults(random: Random) {
  return {
    refuse: random.chance(0.4) ? { status: 503, times: random.int(1, 4) } : undefined,
    lose: random.chance(0.4) ? { times: random.int(1, 4) } : undefined,
    latencyMs: random.int(0, 300),
  };
}
