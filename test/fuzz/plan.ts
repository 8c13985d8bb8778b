// What a round is going to be, drawn from its seed alone: the store it begins with, what goes wrong, and what is done.
import { createRandom, type Random } from "../soak/random.ts";
import type { StoreFault } from "../support/faulty-driver.ts";
import { chunkBytes } from "./images.ts";
import type { Tolerance } from "./judge.ts";
import { type DownloadMutation, drawDownloadMutation } from "./mutations/downloads.ts";
import { drawDriverFault } from "./mutations/driver.ts";
import { drawLookUpMutation } from "./mutations/lookups.ts";
import { drawStoredMutation, type StoredMutation } from "./mutations/stored.ts";
import type { Snapshot } from "./snapshot.ts";
import { drawStep, type Step } from "./steps.ts";
import type { AnswerMutation } from "./upstream.ts";

/** A round, drawn. */
export interface Plan {
  readonly isEmpty: boolean;
  /** The upstream keeps images in parts too. */
  readonly hasParts: boolean;
  /** Nothing goes wrong, so nothing may fail. */
  readonly isSound: boolean;
  readonly stored: readonly StoredMutation[];
  readonly answers: readonly AnswerMutation[];
  readonly faults: readonly { readonly says: string; readonly fault: StoreFault }[];
  readonly tolerance: Tolerance;
  readonly traits: {
    readonly maxAgeMs: number;
    readonly staleIfErrorMs: number;
    readonly maxBytes: number | undefined;
    readonly memoryBytes: number | undefined;
    readonly hashesAtOnce: boolean;
  };
  /** Groups run one after the other, the steps of a group at once. */
  readonly groups: readonly (readonly Step[])[];
  /** For what is drawn while it runs. */
  readonly random: Random;
}

/** Draws a round. The same seed and number draw the same. */
export async function drawPlan(seed: number, round: number, snapshot: Snapshot): Promise<Plan> {
  const random = createRandom(seed, `round ${round}`);
  const isEmpty = random.chance(0.25);
  const share = (probability: number, most: number) => (random.chance(probability) ? random.int(1, most) : 0);
  const [storedCount, downloadCount, lookUpCount, faultCount] = random.chance(0.1)
    ? [0, 0, 0, 0]
    : [isEmpty ? 0 : share(0.5, 3), share(0.6, 2), share(0.25, 1), share(0.2, 2)];
  const stored: StoredMutation[] = [];
  for (let left = storedCount; left > 0; left--) stored.push(await drawStoredMutation(random, snapshot));
  const downloads: DownloadMutation[] = Array.from({ length: downloadCount }, () =>
    drawDownloadMutation(random),
  );
  const lookUps = Array.from({ length: lookUpCount }, () => drawLookUpMutation(random));
  const faults = Array.from({ length: faultCount }, () => drawDriverFault(random));
  const isSound = stored.length + downloads.length + lookUps.length + faults.length === 0;
  const rules = {
    isStoreSilent: faults.some(({ fault }) => fault.does === "hang"),
    mayBePacked: !downloads.some(({ needsInflating }) => needsInflating),
    mayChange: !isSound && !downloads.some(({ fakesValidators }) => fakesValidators),
  };
  return {
    ...{ isEmpty, isSound, stored, faults, random },
    hasParts: random.chance(0.5),
    answers: [...downloads, ...lookUps],
    tolerance: {
      mayEndEarly: downloads.some(({ mayEndEarly }) => mayEndEarly),
      mayShowDamage: downloads.some(({ needsInflating }) => needsInflating),
    },
    traits: drawTraits(random),
    groups: Array.from({ length: random.int(1, 3) }, () =>
      Array.from(
        {
          length: random.weighted([
            [4, 1],
            [3, 2],
            [1, 3],
          ]),
        },
        () => drawStep(random, rules),
      ),
    ),
  };
}

/** The plan in words. */
export function wordsOf(plan: Plan): string[] {
  const steps = plan.groups.map(
    (group) => `  does     ${group.map(({ says }) => says).join("  |  at once: ")}`,
  );
  return [
    `  begins   ${plan.isEmpty ? "with an empty store" : "with two whole images and two halves"}; the upstream has ${plan.hasParts ? "" : "no "}parts`,
    `  manager  ${traitsInWords(plan.traits)}`,
    ...plan.stored.map(({ says }) => `  stored   ${says}`),
    ...plan.answers.map(({ says }) => `  upstream ${says}`),
    ...plan.faults.map(({ says }) => `  ${says}`),
    ...steps,
  ];
}

function traitsInWords(traits: Plan["traits"]): string {
  return Object.entries(traits)
    .flatMap(([name, value]) => (value === undefined ? [] : `${name} ${value}`))
    .join(", ");
}

function drawTraits(random: Random): Plan["traits"] {
  return {
    maxAgeMs: random.pick([0, 0, 1e9]),
    staleIfErrorMs: random.pick([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0]),
    maxBytes: random.pick([1e9, 1e9, 5 * chunkBytes, chunkBytes]),
    memoryBytes: random.pick([undefined, undefined, chunkBytes]),
    hashesAtOnce: random.chance(0.85),
  };
}
