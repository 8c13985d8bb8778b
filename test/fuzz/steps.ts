// What a round does with its managers: every operation, in every mode, with readers that stay, leave or abort.
import type { CacheMode, GetOptions, ImageManager } from "../../src/core/index.ts";
import type { Random } from "../soak/random.ts";
import { arrayOf } from "../support/collect.ts";
import { assertThat, assertTyped } from "./finding.ts";
import { answerRequest, type Site } from "./http-step.ts";
import { alias, chunkBytes, slug, versions } from "./images.ts";
import { readAndCompare, type Tolerance } from "./judge.ts";
import { drawRequest } from "./mutations/requests.ts";
import type { Upstream } from "./upstream.ts";

/** What steps work on. */
export interface Bench {
  readonly sites: readonly Site[];
  readonly upstream: Upstream;
  readonly tolerance: Tolerance;
}

/** One step, drawn. */
export interface Step {
  readonly says: string;
  /** Rejects with a finding, or with what the operation rejected with. */
  run(bench: Bench): Promise<void>;
  /** Codes that are right even where nothing has gone wrong. */
  readonly mayFailWith?: readonly string[];
}

/** What a plan lets its steps do. */
export interface StepRules {
  readonly mayBePacked: boolean;
  readonly mayChange: boolean;
  /** The store falls silent: what has no other way than the store waits for it for a minute, longer than a round. */
  readonly isStoreSilent: boolean;
}

/** Draws one. */
export function drawStep(random: Random, rules: StepRules): Step {
  const at = random.chance(0.7) ? 0 : 1;
  const step = random.weighted(rules.isStoreSilent ? deliveries : draws)(random, rules, at);
  return { ...step, says: `manager ${at + 1}: ${step.says}` };
}

type Draw = (random: Random, rules: StepRules, at: number) => Step;

const wantedVersions = [
  versions[0],
  versions[0],
  versions[0],
  versions[1],
  "latest",
  "^6.0.0",
  "recommended",
  "9.9.9",
  "~5",
];

function drawVariant(random: Random, { mayBePacked }: StepRules): GetOptions {
  return random.weighted<GetOptions>([
    [5, {}],
    [4, { fileType: ".img" }],
    [2, { developmentMode: true, fileType: ".img" }],
    [2, { developmentMode: true }],
    [1, { network: "wifi", wifiSsid: "x", wifiKey: "secret" }],
    ...(mayBePacked
      ? ([
          [1, { fileType: ".gz" }],
          [1, { fileType: ".zip" }],
        ] as const)
      : []),
  ]);
}

const get: Draw = (random, rules, at) => {
  const variant = drawVariant(random, rules);
  const [deviceType, wanted] = [random.chance(0.8) ? slug : alias, random.pick(wantedVersions)];
  const cache = random.weighted<CacheMode>([
    [6, "default"],
    [2, "no-cache"],
    [2, "reload"],
    [1, "no-store"],
    [2, "force-cache"],
    [2, "only-if-cached"],
  ]);
  const range = random.chance(0.35) ? drawRange(random) : undefined;
  const leave = random.chance(0.25) ? drawLeave(random) : undefined;
  const options = { ...variant, cache, ...(range && { range }) };
  return {
    says: `get ${deviceType} ${wanted} ${JSON.stringify(options)}${leave ? `, ${leave.says}` : ""}`,
    mayFailWith: ["NOT_CACHED", ...(range ? ["INVALID_ARGUMENT"] : []), ...missing(wanted)],
    async run({ sites, tolerance }) {
      const abort = new AbortController();
      const reason = new Error("changed my mind");
      if (leave?.aborts && leave.atByte === 0) queueMicrotask(() => abort.abort(reason));
      try {
        const stream = await sites[at]!.manager.get(deviceType, wanted, { ...options, signal: abort.signal });
        await readAndCompare(stream, { variant, ...range, tolerance }, leave?.atByte);
        if (leave?.aborts) abort.abort(reason);
      } catch (failure) {
        assertTyped("get", failure, reason);
        if (failure !== reason) throw failure;
      }
    },
  };
};

function drawRange(random: Random) {
  const start = random.pick([
    0,
    1,
    chunkBytes,
    chunkBytes - 1,
    random.int(0, 3 * chunkBytes + 1_500),
    10 * chunkBytes,
  ]);
  const end = random.pick([undefined, start + 1, start + random.int(1, 3 * chunkBytes), 2 ** 40]);
  return { start, ...(end !== undefined && { end }) };
}

function drawLeave(random: Random) {
  const [aborts, atByte] = [random.chance(0.5), random.pick([0, 1, chunkBytes, 2 * chunkBytes])];
  return { aborts, atByte, says: `${aborts ? "aborted" : "left"} at byte ${atByte}` };
}

const prefetch: Draw = (random, rules, at) => {
  const [variant, wanted] = [drawVariant(random, rules), random.pick(wantedVersions)];
  const cache = random.pick<CacheMode>(["default", "default", "reload", "no-cache"]);
  return {
    says: `prefetch ${wanted} ${JSON.stringify({ ...variant, cache })}`,
    mayFailWith: ["STORE", "INVALID_ARGUMENT", ...missing(wanted)],
    async run({ sites }) {
      const info = await sites[at]!.manager.prefetch(slug, wanted, { ...variant, cache });
      assertInfo(info);
    },
  };
};

const missing = (wanted: string) => (["9.9.9", "~5"].includes(wanted) ? ["VERSION_NOT_FOUND"] : []);

/** An operation that takes an image and is no get. */
const onImage =
  (name: "inspect" | "isFresh" | "pin" | "unpin" | "remove"): Draw =>
  (random, rules, at) => {
    const [variant, version] = [drawVariant(random, rules), random.pick(versions)];
    return {
      says: `${name} ${version} ${JSON.stringify(variant)}`,
      async run({ sites }) {
        const result = await sites[at]!.manager[name](slug, version, variant);
        if (name !== "inspect")
          assertThat(typeof result === "boolean", `${name} resolves to ${typeof result}`);
        else if (result !== undefined) assertInfo(result as object);
      },
    };
  };

/** An operation of the whole manager. */
const plain =
  (says: string, run: (manager: ImageManager) => Promise<void>): Draw =>
  (_random, _rules, at) => ({ says, run: ({ sites }) => run(sites[at]!.manager) });

const resolve: Draw = (random, _rules, at) => {
  const [deviceType, wanted] = [random.pick([slug, alias]), random.pick(wantedVersions)];
  return {
    says: `resolve ${deviceType} ${wanted}`,
    mayFailWith: missing(wanted),
    async run({ sites }) {
      const version = await sites[at]!.manager.resolve(deviceType, wanted);
      assertThat(
        typeof version === "string" && version !== "",
        `resolve resolves to ${JSON.stringify(version)}`,
      );
    },
  };
};

const request: Draw = (random, { mayBePacked }, at) => {
  const drawn = drawRequest(random, mayBePacked);
  return {
    says: drawn.says,
    run: ({ sites, tolerance }) => answerRequest(sites[at]!, drawn, tolerance),
  };
};

/** It may go from one image to the other, not back: an upstream that has the old ETag again says that nothing changed. */
const change: Draw = (random, rules, at) =>
  rules.mayChange
    ? {
        says: "(the upstream has another image from now on)",
        mayFailWith: [],
        async run({ upstream }) {
          upstream.revision = 1;
        },
      }
    : get(random, rules, at);

const deliveries: readonly (readonly [number, Draw])[] = [
  [24, get],
  [5, prefetch],
  [2, resolve],
  [2, change],
];

const draws: readonly (readonly [number, Draw])[] = [
  ...deliveries,
  [12, request],
  [1, onImage("inspect")],
  [2, onImage("isFresh")],
  [1, onImage("pin")],
  [1, onImage("unpin")],
  [2, onImage("remove")],
  [1, plain("versions", async (manager) => assertVersions(await manager.versions(slug)))],
  [1, plain("list", async (manager) => (await arrayOf(manager.list())).forEach(assertInfo))],
  [1, plain("prune", async (manager) => void (await manager.prune({ unusedForMs: 1e9 })))],
  [1, plain("prune of nearly all", async (manager) => void (await manager.prune({ maxBytes: chunkBytes })))],
  [1, plain("verify", async (manager) => void (await manager.verify()))],
  [2, plain("verify with repair", async (manager) => void (await manager.verify({ repair: true })))],
  [1, plain("cleanCache", (manager) => manager.cleanCache())],
];

function assertInfo(info: object): void {
  const { id, size, etag, isComplete } = info as Record<string, unknown>;
  assertThat(typeof id === "string", "an info without id");
  if (isComplete !== true) return;
  assertThat(Number.isSafeInteger(size) && (size as number) >= 0, `a size that is ${size}`);
  assertThat(/^"[0-9a-f]{64}"$/.test(String(etag)), `an ETag that is ${etag}`);
}

function assertVersions(list: unknown): void {
  const isList = Array.isArray(list) && list.every(({ version }) => typeof version === "string");
  assertThat(isList, "versions resolves to something else than versions");
}
