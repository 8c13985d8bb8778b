// Answers to look-ups go bad: JSON of every wrong shape, and what is no JSON at all.
import { createRandom, type Random } from "../../soak/random.ts";
import type { Answer, AnswerMutation, QuestionKind } from "../upstream.ts";
import { damaged } from "./bytes.ts";
import { damagedJson } from "./json.ts";

/** Draws one, and which of the look-ups it strikes. */
export function drawLookUpMutation(random: Random): AnswerMutation {
  const kind = random.pick<QuestionKind>(["alias", "versions", "versions", "assets", "contents"]);
  const times = random.pick([1, 1_000]);
  const { says, change } = random.weighted(draws)(random);
  return {
    says: `${times === 1 ? "the first answer" : "each answer"} about ${names[kind]}: ${says}`,
    strikes: (question) => question.kind === kind && question.count < times,
    change,
  };
}

const names: Partial<Record<QuestionKind, string>> = {
  alias: "the device type",
  versions: "the versions",
  assets: "the files of a release",
  contents: "the parts of an image",
};

type Draw = (random: Random) => Pick<AnswerMutation, "says" | "change">;

const setText = (answer: Answer, text: string) => setBytes(answer, new TextEncoder().encode(text));

function setBytes(answer: Answer, bytes: Uint8Array<ArrayBuffer>): void {
  answer.body = bytes;
  answer.headers.set("content-length", String(bytes.length));
}

/** All answers of a kind are alike, so that what is said of the first one holds for all. */
const hostileJson: Draw = (random) => {
  const seed = random.int(0, 2 ** 31 - 1);
  return {
    says: `its JSON is hostile (drawn from ${seed})`,
    change(answer) {
      const document = JSON.parse(new TextDecoder().decode(answer.body));
      setText(answer, damagedJson(createRandom(seed, "json"), document, isNoOtherImage).text);
    },
  };
};

/** A table of other parts, each of which is right, is that of another image: nobody could tell. */
const isNoOtherImage = (path: readonly string[]) =>
  !path.includes("parts") || ["filename", "crc", "len", "zLen", "partitionIndex"].includes(path.at(-1) ?? "");

const damagedText: Draw = (random) => {
  const seed = random.int(0, 2 ** 31 - 1);
  return {
    says: `its bytes are damaged (drawn from ${seed})`,
    change: (answer) => setBytes(answer, damaged(createRandom(seed, "bytes"), answer.body).bytes),
  };
};

const otherText: Draw = (random) => {
  const text = random.pick([
    ...[
      "",
      " ",
      "null",
      "[]",
      "{}",
      "0",
      "{",
      '{"d":[',
      "<!doctype html><h1>Sign in</h1>",
      "\ufeff{}",
      '{"d":null}',
    ],
    ...[
      '{"d":[null]}',
      '{"d":{}}',
      '{"d":[{}]}',
      '{"d":[[]]}',
      '{"d":[{"slug":"../x"}]}',
      '{"d":[{"slug":""}]}',
    ],
    ...[
      '{"d":[{"slug":"a~b"}]}',
      '{"d":[{"owns__release":[],"application_tag":[]}]}',
      '{"size":-1}',
      '{"size":"1"}',
    ],
  ]);
  return { says: `it says ${JSON.stringify(text)}`, change: (answer) => setText(answer, text) };
};

const status: Draw = (random) => {
  const code = random.pick([
    201, 204, 206, 301, 302, 304, 400, 401, 403, 404, 408, 410, 429, 500, 502, 503, 504, 599,
  ]);
  const retryAfter = random.pick([undefined, "0", "1e9", "-5", "x", "Fri, 31 Dec 9999 23:59:59 GMT"]);
  return {
    says: `HTTP ${code}${retryAfter === undefined ? "" : `, Retry-After ${retryAfter}`}`,
    change(answer) {
      answer.status = code;
      if (retryAfter !== undefined) answer.headers.set("retry-after", retryAfter);
      if (code < 400 && code > 300) answer.headers.set("location", "https://elsewhere.example/");
    },
  };
};

const brokenOff: Draw = (random) => {
  const [share, ending] = [random.next(), random.pick(["lost", "clean"] as const)];
  return {
    says: `its body is ${ending === "clean" ? "over" : ending} after ${Math.floor(100 * share)} %`,
    change(answer) {
      answer.body = answer.body.subarray(0, Math.floor(share * answer.body.length));
      answer.ending = ending;
    },
  };
};

const thrown: Draw = (random) => {
  const [says, value] = random.pick([
    ["a TypeError", new TypeError("fetch failed")],
    ["a text", "no"],
    ["undefined", undefined],
    ["null", null],
  ] as const);
  return {
    says: `fetch throws ${says}`,
    change: (answer) => Object.assign(answer, { instead: { thrown: value } }),
  };
};

const unanswered: Draw = (random) => {
  const how = random.pick(["nothing", "silent", "endless"] as const);
  return {
    says: how === "nothing" ? "fetch never settles" : `its body is ${how} after its end`,
    change(answer) {
      if (how === "nothing") answer.instead = "nothing";
      else answer.ending = how;
    },
  };
};

const draws: readonly (readonly [number, Draw])[] = [
  [8, hostileJson],
  [2, damagedText],
  [3, otherText],
  [3, status],
  [2, brokenOff],
  [1, thrown],
  [2, unanswered],
];
