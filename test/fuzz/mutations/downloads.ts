// Answers to a download go bad. Each lie can be found out: by framing, by the gzip file's own checks, by what was said before. What
// nobody could find out (other bytes of the right length under the right ETag, not packed) is left out.
import { gzipSync } from "node:zlib";
import { createRandom, type Random } from "../../soak/random.ts";
import { type Answer, type AnswerMutation, etagOf, type Question } from "../upstream.ts";
import { damaged, joined, junk } from "./bytes.ts";

/** What a mutation means for the round. */
export interface DownloadMutation extends AnswerMutation {
  /** The body may end early with nothing that tells: what is delivered is then a beginning, and must not be kept. */
  readonly mayEndEarly?: boolean;
  /** Only who inflates the file can tell: it is not to be asked for as it is packed. */
  readonly needsInflating?: boolean;
  /** The validators say nothing any more: the image is not to change at the same time. */
  readonly fakesValidators?: boolean;
}

type Draw = (random: Random) => Omit<DownloadMutation, "strikes"> & {
  readonly isFor?: (question: Question) => boolean /** It strikes every download. */;
  readonly isLasting?: boolean;
};

/** Draws one, and which of the downloads it strikes. */
export function drawDownloadMutation(random: Random): DownloadMutation {
  const mutation = random.weighted(draws)(random);
  const [from, times] = [
    random.weighted([
      [5, 0],
      [2, 1],
      [1, 2],
    ]),
    random.weighted([
      [4, 1],
      [2, 2],
      [3, 1_000],
    ]),
  ];
  const which = `download ${from + 1}${times === 1 ? "" : times > 2 ? " and all after it" : ` and ${from + 2}`}`;
  const { isFor = () => true, isLasting = false, ...facts } = mutation;
  const isDue = (count: number) => isLasting || (count >= from && count < from + times);
  return {
    ...facts,
    says: isLasting ? mutation.says : `${which}: ${mutation.says}`,
    strikes: (question) => question.kind === "download" && isDue(question.count) && isFor(question),
  };
}

/** For what is drawn only when an answer is there: by then others may have drawn, in any order. */
function laterOf(random: Random): () => Random {
  const seed = random.int(0, 2 ** 31 - 1);
  return () => createRandom(seed, "later");
}

/** How much comes. Where it is little, a download goes on for hundreds of requests, each of which brings it on. */
const shareOf = (random: Random) => (random.chance(0.1) ? 0 : 0.15 + 0.85 * random.next());

const isPacked = ({ url }: Question) =>
  url.searchParams.get("fileType") === ".gz" || url.pathname.endsWith(".deflate");
const carriesFile = ({ status }: Answer) => status === 200 || status === 206;

const header =
  (name: string, values: readonly (string | undefined)[]): Draw =>
  (random) => {
    const value = random.pick(values);
    return {
      mayEndEarly: name === "content-length",
      fakesValidators: ["etag", "last-modified", "date"].includes(name),
      says: value === undefined ? `there is no ${name}` : `${name} is ${JSON.stringify(value.slice(0, 80))}`,
      change({ headers }) {
        if (value === undefined) headers.delete(name);
        else headers.set(name, value);
      },
    };
  };

const otherStatus: Draw = (random) => {
  const status = random.pick([
    ...[
      201, 202, 203, 204, 205, 226, 300, 301, 302, 304, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408,
    ],
    ...[409, 410, 412, 413, 416, 418, 421, 425, 429, 451, 499, 500, 501, 502, 503, 504, 507, 520, 599],
  ]);
  const retryAfter = random.pick([
    undefined,
    "0",
    "1e9",
    "-1",
    "99999999999999",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "x",
  ]);
  return {
    says: `the status is ${status}${retryAfter === undefined ? "" : `, Retry-After ${retryAfter}`}`,
    change(answer) {
      answer.status = status;
      answer.body = new TextEncoder().encode('"No."');
      answer.headers.set("content-length", String(answer.body.length));
      answer.headers.delete("content-range");
      if (retryAfter !== undefined) answer.headers.set("retry-after", retryAfter);
    },
  };
};

const wrongLength: Draw = (random) => {
  const by = random.pick([-100_000, -1_000, -1, 1, 1_000, 1e6]);
  return {
    says: `Content-Length is wrong by ${by}`,
    change: ({ headers, body }) => headers.set("content-length", String(Math.max(0, body.length + by))),
  };
};

const brokenOff: Draw = (random) => {
  const [share, ending] = [shareOf(random), random.pick(["lost", "silent", "clean"] as const)];
  return {
    says: `the body is ${ending === "clean" ? "over" : ending} after ${Math.floor(100 * share)} %`,
    change(answer) {
      if (!carriesFile(answer)) return;
      answer.body = answer.body.subarray(0, Math.floor(share * answer.body.length));
      answer.ending = ending;
    },
  };
};

const endsUnframed: Draw = (random) => {
  const share = shareOf(random);
  return {
    mayEndEarly: true,
    says: `the body has no length and ends after ${Math.floor(100 * share)} %, as if that were all`,
    change(answer) {
      if (!carriesFile(answer)) return;
      answer.body = answer.body.subarray(0, Math.floor(share * answer.body.length));
      answer.headers.delete("content-length");
    },
  };
};

const goesOn: Draw = (random) => {
  const [more, later] = [random.pick([1, 1_000, 600_000, Number.POSITIVE_INFINITY]), laterOf(random)];
  return {
    says: `the body goes on for ${more} bytes beyond its length`,
    change(answer) {
      // After a body that was cut it would only make up for what is missing, and nobody could tell.
      if (!carriesFile(answer) || answer.headers.get("content-length") !== String(answer.body.length)) return;
      if (Number.isFinite(more)) answer.body = joined(answer.body, junk(later(), more));
      else answer.ending = "endless";
    },
  };
};

/** So that there are answers to ranges, the first file is lost on the way. */
const wrongRange: Draw = (random) => {
  const [share, [how, make]] = [0.35 + 0.6 * random.next(), random.pick(wrongRanges)];
  const isTrue = random.chance(0.6);
  let isLost = false;
  return {
    isLasting: true,
    says: `the body is lost after ${Math.floor(100 * share)} %; the Content-Range of what follows ${how}, ${isTrue ? "as its bytes do" : "unlike its bytes"}`,
    change(answer) {
      const [, first = "0", last = "0", total = "0"] =
        /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.headers.get("content-range") ?? "") ?? [];
      if (answer.status === 206)
        return sayRange(answer, make(Number(first), Number(last), Number(total)), isTrue);
      if (answer.status !== 200 || isLost) return;
      isLost = true;
      answer.body = answer.body.subarray(0, Math.floor(share * answer.body.length));
      answer.ending = "lost";
    },
  };
};

/** Says a range, and sends the bytes that it names where that is wanted and can be. */
function sayRange(answer: Answer, contentRange: string, isTrue: boolean): void {
  answer.headers.set("content-range", contentRange);
  const [, first, last] = /^bytes (\d{1,9})-(\d{1,9})\//.exec(contentRange) ?? [];
  if (!isTrue || first === undefined || !answer.file) return;
  answer.body = answer.file.slice(Number(first), Number(last) + 1);
  answer.headers.set("content-length", String(answer.body.length));
}

const wrongRanges: readonly (readonly [string, (first: number, last: number, total: number) => string])[] = [
  ["begins a byte later", (first, last, total) => `bytes ${first + 1}-${last}/${total}`],
  ["begins at 0", (_, last, total) => `bytes 0-${last}/${total}`],
  ["ends a byte earlier", (first, last, total) => `bytes ${first}-${last - 1}/${total}`],
  ["says a smaller total", (first, last, total) => `bytes ${first}-${last}/${total - 1}`],
  ["says a larger total", (first, last, total) => `bytes ${first}-${last}/${total + 1000}`],
  ["says no total", (first, last) => `bytes ${first}-${last}/*`],
  ["is upside down", (first, last, total) => `bytes ${last}-${first}/${total}`],
  ["is of huge numbers", () => `bytes ${"9".repeat(30)}-${"9".repeat(31)}/${"9".repeat(32)}`],
  ["is that of a 416", (_first, _last, total) => `bytes */${total}`],
  ["is empty", () => ""],
  ["is in another unit", (first, last, total) => `items ${first}-${last}/${total}`],
  [
    "is there twice",
    (first, last, total) => `bytes ${first}-${last}/${total}, bytes ${first}-${last}/${total}`,
  ],
];

const noContentRange: Draw = () => ({
  says: "the status is 206, and there is no Content-Range",
  change(answer) {
    if (carriesFile(answer)) answer.status = 206;
    answer.headers.delete("content-range");
  },
});

const page: Draw = (random) => {
  const [type, text] = random.pick([
    ["text/html; charset=utf-8", "<!doctype html><title>Sign in to the Wi-Fi</title>"],
    ["application/json", '{"error":"maintenance"}'],
    ["text/plain", "Service temporarily unavailable"],
    ["application/xml", "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"],
    ["application/octet-stream", ""],
  ] as const);
  return {
    says: `a page comes in the place of the file: ${type}, ${JSON.stringify(text.slice(0, 20))}`,
    change(answer) {
      Object.assign(answer, { status: 200, body: new TextEncoder().encode(text), ending: "clean" });
      for (const name of [...answer.headers.keys()]) answer.headers.delete(name);
      answer.headers.set("content-type", type);
      answer.headers.set("content-length", String(answer.body.length));
    },
  };
};

const gzipDamage: Draw = (random) => {
  const later = laterOf(random);
  return {
    needsInflating: true,
    isFor: isPacked,
    says: "the gzip file is damaged, and as long as it says",
    change(answer) {
      if (answer.status !== 200) return;
      answer.body = damaged(later(), answer.body).bytes;
      answer.headers.set("content-length", String(answer.body.length));
    },
  };
};

const gzipTail: Draw = (random) => {
  const [what, tail] = random.pick([
    ["zeros", new Uint8Array(512)],
    ["junk", junk(random, 50)],
    ["the head of a member", Uint8Array.of(0x1f, 0x8b, 8, 0)],
    ["an empty member", new Uint8Array(gzipSync(new Uint8Array(0)))],
  ] as const);
  return {
    needsInflating: true,
    isFor: isPacked,
    says: `${what} follow${what.startsWith("a") || what.startsWith("the") ? "s" : ""} the gzip file`,
    change(answer) {
      if (answer.status !== 200) return;
      answer.body = joined(answer.body, tail);
      answer.headers.set("content-length", String(answer.body.length));
    },
  };
};

const coded: Draw = (random) => {
  const [label, isTrue] = [
    random.pick(["gzip", "x-gzip", "br", "gzip, gzip", "identity", "nonsense"]),
    random.chance(0.5),
  ];
  const isCoded = isTrue && label.includes("gzip");
  return {
    needsInflating: true,
    mayEndEarly: true,
    says: `Content-Encoding is ${label}, and the body is ${isCoded ? "" : "not "}so coded`,
    change(answer) {
      if (!carriesFile(answer)) return;
      answer.headers.set("content-encoding", label);
      if (!isCoded) return;
      answer.body = new Uint8Array(gzipSync(answer.body, { level: 1 }));
      answer.headers.set("content-length", String(answer.body.length));
    },
  };
};

const redirected: Draw = (random) => {
  const status = random.pick([301, 302, 303, 307, 308]);
  const [says, location] = random.pick(locations);
  return {
    says: `HTTP ${status} leads to ${says}`,
    change(answer, { url }) {
      answer.status = status;
      answer.body = new Uint8Array(0);
      answer.headers.set("location", location(url));
    },
  };
};

const locations: readonly (readonly [string, (url: URL) => string])[] = [
  ["itself", (url) => url.href],
  ["itself, relatively", (url) => `/download${url.search}`],
  ["another host", () => "https://files.example.net/x"],
  ["http", (url) => url.href.replace("https:", "http:")],
  ["no address", () => "http://["],
  ["nothing", () => ""],
  ["javascript", () => "javascript:alert(1)"],
  ["a file", () => "file:///etc/passwd"],
  ["data", () => "data:,x"],
  ["credentials", () => "https://user:secret@api.example.com/"],
  ["a long address", () => `https://api.example.com/${"x".repeat(100_000)}`],
];

const thrown: Draw = (random) => {
  const [says, value] = random.pick([
    [
      "a TypeError",
      new TypeError("fetch failed", { cause: Object.assign(new Error("x"), { code: "ECONNRESET" }) }),
    ],
    ["an AbortError of its own", new DOMException("This operation was aborted", "AbortError")],
    ["a text", "no"],
    ["undefined", undefined],
    ["null", null],
    ["an object", { code: "E" }],
    ["a frozen error", Object.freeze(new Error("frozen"))],
  ] as const);
  return {
    says: `fetch throws ${says}`,
    change: (answer) => Object.assign(answer, { instead: { thrown: value } }),
  };
};

const unanswered: Draw = () => ({
  says: "fetch never settles",
  change: (answer) => Object.assign(answer, { instead: "nothing" }),
});

const weakTag: Draw = (random) => {
  const isWeak = random.chance(0.5);
  return {
    says: isWeak ? "the ETag is weak" : "the ETag is not quoted",
    change({ headers }) {
      const etag = headers.get("etag");
      if (etag) headers.set("etag", isWeak ? `W/${etag}` : etag.replaceAll('"', ""));
    },
  };
};

const otherTag: Draw = () => ({
  fakesValidators: true,
  says: "the ETag is that of the packed bytes",
  change: ({ headers, body }) => headers.set("etag", etagOf(body)),
});

const pieces: Draw = (random) => {
  const bytes = random.pick([5_000, 65_537, 262_144, 262_145, 10_000_000]);
  return {
    says: `the body comes in pieces of ${bytes} bytes`,
    change: (answer) => Object.assign(answer, { pieceBytes: bytes }),
  };
};

const dates = ["x", "", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "-1", "1e999"];
const draws: readonly (readonly [number, Draw])[] = [
  [4, otherStatus],
  [3, wrongLength],
  [
    2,
    header("content-length", [undefined, "", "-1", "0", "x", "1e6", "9".repeat(30), "5, 5", "0x10", " 7 "]),
  ],
  [6, brokenOff],
  [2, endsUnframed],
  [3, goesOn],
  [4, wrongRange],
  [1, noContentRange],
  [4, page],
  [4, gzipDamage],
  [2, gzipTail],
  [3, coded],
  [3, redirected],
  [2, thrown],
  [1, unanswered],
  [1, weakTag],
  [1, otherTag],
  [1, header("etag", [undefined, '""', '"', "W/", "*", `"${"x".repeat(8_000)}"`, '"\xff"', '"a", "b"'])],
  [1, header("last-modified", [undefined, ...dates])],
  [1, header("date", [undefined, ...dates])],
  [1, header("accept-ranges", ["none", "bytes", "x"])],
  [
    1,
    header("content-type", [
      undefined,
      "",
      "x",
      "application/gzip",
      'a/b; c="',
      `application/octet-stream;${"x".repeat(9_000)}`,
    ]),
  ],
  [2, pieces],
];
