// Requests to the HTTP handler: sound ones of every kind, and such as no client should send.
import type { Random } from "../../soak/random.ts";
import { alias, chunkBytes, slug, versions } from "../images.ts";

/** A request as it is built for each try. */
export interface DrawnRequest {
  readonly says: string;
  readonly path: string;
  readonly init: {
    readonly method: string;
    readonly headers: readonly (readonly [string, string])[];
    readonly body?: string;
  };
  /** The client leaves after so many bytes of the answer. Default: it stays. */
  readonly leavesAfterBytes?: number | undefined;
}

/** Draws one; `mayBePacked` lets it ask for the packed files. */
export function drawRequest(random: Random, mayBePacked: boolean): DrawnRequest {
  const path = random.weighted(paths)(random) + drawQuery(random, mayBePacked);
  const method = random.weighted([
    [8, "GET"],
    [2, "HEAD"],
    [1, random.pick(["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "X"])],
  ]);
  const headers = drawHeaders(random);
  const leavesAfterBytes = random.chance(0.1) ? random.int(0, 3 * chunkBytes) : undefined;
  const body = ["POST", "PUT", "PATCH"].includes(method)
    ? { body: "x".repeat(random.pick([0, 1, 10_000])) }
    : {};
  const fields = headers.map(([name, value]) => ` ${name}: ${value.slice(0, 60)};`).join("");
  return {
    says: `${method} ${path.slice(0, 200)}${fields}${leavesAfterBytes === undefined ? "" : ` leaves after ${leavesAfterBytes} bytes`}`,
    path,
    init: { method, headers, ...body },
    leavesAfterBytes,
  };
}

type Draw = (random: Random) => string;

const image: Draw = (random) => `/images/${slug}/${encodeURIComponent(random.pick(versions))}`;

const strangeImage: Draw = (random) => {
  const deviceType = random.pick([slug, slug, alias, ...strangeSegments]);
  const version = random.pick([
    ...versions,
    "latest",
    "%5E6.0.0",
    "recommended",
    "default",
    "9.9.9",
    ...strangeSegments,
  ]);
  return `/images/${deviceType}/${version}`;
};

/** Sound paths with letters changed, taken out and put in. */
const spoiltPath: Draw = (random) => {
  const letters = [...random.pick([image(random), "/images", `/versions/${slug}`, "/healthz"])];
  for (let left = random.int(1, 4); left > 0; left--) {
    const letter = random.pick([
      "",
      "/",
      "//",
      "%",
      "%2f",
      "%00",
      "..",
      "?",
      "#",
      "&",
      "=",
      "\\",
      ";",
      "é",
      " ",
      ":",
      "@",
      "*",
    ]);
    letters.splice(random.int(1, letters.length), random.int(0, 1), letter);
  }
  return letters.join("");
};

const paths: readonly (readonly [number, Draw])[] = [
  [8, image],
  [5, strangeImage],
  [3, spoiltPath],
  [1, () => "/images"],
  [1, (random) => `/versions/${random.pick([slug, alias, "x", ...strangeSegments])}`],
  [1, () => "/healthz"],
  [1, (random) => `/${random.pick(strangeSegments)}`],
];

const strangeSegments: readonly string[] = [
  ...[
    "",
    ".",
    "..",
    "%2e%2e",
    "%2e%2e%2f%2e%2e",
    "%",
    "%zz",
    "%ff%fe",
    "%00",
    "%0d%0a",
    "a%2fb",
    "a%5cb",
    "%20",
    "*",
  ],
  ...[
    "__proto__",
    "constructor",
    "x".repeat(10_000),
    "%E2%80%AE",
    "%F0%9F%8D%95",
    "null",
    "undefined",
    "-1",
    "1e9",
  ],
  ...[
    "6.1.0%2brev1",
    "6.1.0+rev1",
    ">=6",
    "6.x",
    "~6",
    "6.1.0%20||%20*",
    "2021.10.2.prod",
    `${"1".repeat(300)}.0.0`,
  ],
];

function drawQuery(random: Random, mayBePacked: boolean): string {
  if (random.chance(0.5)) return "";
  const sound = [
    "developmentMode=true",
    "developmentMode=false",
    "fileType=.img",
    "imageType=raw",
    "imageType=flasher",
  ];
  if (mayBePacked) sound.push("fileType=.gz", "fileType=.zip");
  const strange = [
    ...[
      "developmentMode=1",
      "developmentMode",
      "developmentMode=true&developmentMode=false",
      "fileType=.exe",
      "fileType=",
    ],
    ...[
      "x=y",
      "=",
      "&&",
      "%",
      "scope=x",
      "appId=1",
      "wifiKey=x",
      "fileType[]=.img",
      "__proto__=1",
      "developmentMode=TRUE",
    ],
  ];
  const parts = Array.from({ length: random.int(1, 2) }, () =>
    random.pick(random.chance(0.7) ? sound : strange),
  );
  return `?${parts.join("&")}`;
}

function drawHeaders(random: Random): [string, string][] {
  const headers: [string, string][] = [];
  if (random.chance(0.4)) headers.push(["range", drawRange(random)]);
  for (const name of ["if-none-match", "if-match", "if-range"])
    if (random.chance(0.1)) headers.push([name, random.pick(tags)]);
  for (const name of ["if-modified-since", "if-unmodified-since"])
    if (random.chance(0.08)) headers.push([name, random.pick(times)]);
  if (random.chance(0.1)) headers.push(random.pick(others));
  return headers;
}

function drawRange(random: Random): string {
  const place = () =>
    random.pick([
      0,
      1,
      chunkBytes - 1,
      chunkBytes,
      2 * chunkBytes,
      3 * chunkBytes,
      random.int(0, 4 * chunkBytes),
    ]);
  return random.weighted<string>([
    [6, `bytes=${place()}-${place()}`],
    [2, `bytes=${place()}-`],
    [2, `bytes=-${place()}`],
    [3, random.pick(strangeRanges)],
  ]);
}

const nines = "9".repeat(400);
const strangeRanges: readonly string[] = [
  ...[
    "bytes=",
    "bytes=-",
    "bytes=0-0,5-9",
    "bytes=0-0, -1",
    "bytes=,,0-5",
    "BYTES=0-5",
    "bytes = 0-5",
    "items=0-5",
    "0-5",
  ],
  ...[
    "bytes=5-2",
    "bytes=-0",
    "bytes=a-b",
    "bytes=0x0-0x5",
    "bytes=1e3-1e4",
    "bytes=+1-+5",
    "bytes=-1-5",
    "bytes=0-5-9",
  ],
  ...[
    `bytes=${nines}-`,
    `bytes=0-${nines}`,
    `bytes=-${nines}`,
    "bytes=9007199254740991-",
    `bytes=${"0-0,".repeat(500)}0-0`,
  ],
];

const tags: readonly string[] = [
  "*",
  '"x"',
  'W/"x"',
  '""',
  "x",
  '"',
  'W/"',
  '"a", "b", W/"c"',
  `"${"y".repeat(9_000)}"`,
  ",",
  "",
];
const times: readonly string[] = [
  ...[
    "Mon, 02 Mar 2026 04:05:06 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "0",
    "x",
    "",
  ],
  ...[
    "2026-03-02T04:05:06Z",
    "Monday, 02-Mar-26 04:05:06 GMT",
    "Mon Mar  2 04:05:06 2026",
    "Sat, 99 Feb 2026 99:99:99 GMT",
  ],
];
const others: readonly [string, string][] = [
  ["accept-encoding", "gzip, br"],
  ["accept", "text/html"],
  ["expect", "100-continue"],
  ["authorization", "Bearer x"],
  ["te", "trailers"],
  ["x-forwarded-host", "evil.example"],
  ["cookie", "a=b"],
  ["cache-control", "only-if-cached, no-cache"],
];
