// Runs one round: two managers over one store, what goes wrong, what is done; and in the end all must be well.

import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { createImageHandler } from "../../src/core/http/index.ts";
import { isImageManagerError, type StoreDriver } from "../../src/core/index.ts";
import { arrayOf } from "../support/collect.ts";
import { type FaultyDriver, faultyDriver } from "../support/faulty-driver.ts";
import { assertThat, assertTyped, Finding, unlessHanging } from "./finding.ts";
import type { Site } from "./http-step.ts";
import { slug, versions } from "./images.ts";
import { none, readAndCompare } from "./judge.ts";
import { createManager } from "./managers.ts";
import type { Plan } from "./plan.ts";
import { halfImages, load, type Snapshot, wholeImages } from "./snapshot.ts";
import type { Bench, Step } from "./steps.ts";
import { createUpstream, type Upstream } from "./upstream.ts";

/** What came of the steps, by outcome. */
export type Counts = Map<string, number>;

/** Rejects with a {@link Finding} where something is wrong. */
export async function runRound(plan: Plan, snapshot: Snapshot, counts: Counts): Promise<void> {
  const storage = memoryAdapter();
  if (!plan.isEmpty) await load(storage, snapshot);
  for (const mutation of plan.stored) await mutation.apply(storage);
  const upstream = createUpstream(plan.hasParts);
  upstream.mutations.push(...plan.answers);
  const driver = faultyDriver(storage, ...plan.faults.map(({ fault }) => fault));
  await runSteps(plan, driver, upstream, counts);
  upstream.mutations.length = 0;
  driver.faults.length = 0;
  await assertAllIsWell(plan, storage, upstream);
}

async function runSteps(
  plan: Plan,
  storage: FaultyDriver,
  upstream: Upstream,
  counts: Counts,
): Promise<void> {
  const reported: unknown[] = [];
  const makeSite = () =>
    createSite(createManager({ ...plan.traits, storage, upstream, isPatient: plan.isSound }), reported);
  const bench: Bench = { sites: [makeSite(), makeSite()], upstream, tolerance: plan.tolerance };
  for (const group of plan.groups) await Promise.all(group.map((step) => runStep(plan, step, bench, counts)));
  for (const { manager } of bench.sites) await unlessHanging("close", () => manager.close());
  for (const failure of reported) assertTyped("the handler", failure);
}

function createSite(manager: Site["manager"], reported: unknown[]): Site {
  return {
    manager,
    handler: createImageHandler(manager, { onError: (failure) => void reported.push(failure) }),
  };
}

async function runStep(plan: Plan, step: Step, bench: Bench, counts: Counts): Promise<void> {
  const count = (outcome: string) => counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  try {
    await unlessHanging(step.says, () => step.run(bench));
    count("right");
  } catch (failure) {
    if (failure instanceof Finding) throw new Finding(`${step.says}: ${failure.message}`, { cause: failure });
    assertTyped(step.says, failure);
    if (!isImageManagerError(failure)) return;
    count(failure.code);
    const isExpected = !plan.isSound || step.mayFailWith?.includes(failure.code);
    assertThat(isExpected === true, `${step.says} fails although nothing has gone wrong: ${failure.stack}`);
  }
}

/** With a sound upstream and a sound driver again, any image comes right, whatever lies in the store. */
async function assertAllIsWell(plan: Plan, storage: StoreDriver, upstream: Upstream): Promise<void> {
  const manager = createManager({ storage, upstream, maxBytes: 1e9, isPatient: true, hashesAtOnce: true });
  const variant = plan.random.pick([...wholeImages, ...halfImages]);
  const what = `afterwards, all being well again, get ${versions[0]} ${JSON.stringify(variant)}`;
  const getIt = async () =>
    readAndCompare(await manager.get(slug, versions[0], variant), { variant, tolerance: none });
  await inTheEnd(what, () => (upstream.revision === 0 ? getIt() : unlessChanged(getIt)));
  await inTheEnd("afterwards list", async () => void (await arrayOf(manager.list())));
  await inTheEnd("afterwards verify with repair", async () => void (await manager.verify({ repair: true })));
  await inTheEnd("afterwards the handler", () => assertServed(manager));
  await inTheEnd("afterwards cleanCache", () => manager.cleanCache());
  await unlessHanging("close", () => manager.close());
  const left = await storage.getKeys("balena-images:", {});
  assertThat(left.length === 0, `cleanCache leaves ${left.join(", ")}`);
  assertThat(!("polluted" in {}), "Object.prototype was written to");
}

/** What a half of the old image began can't be ended with the new one; the next get begins anew. */
async function unlessChanged(get: () => Promise<void>): Promise<void> {
  await get().catch((failure: unknown) => {
    if (!(isImageManagerError(failure) && failure.code === "IMAGE_CHANGED")) throw failure;
    return get();
  });
}

async function assertServed(manager: Site["manager"]): Promise<void> {
  const reported: unknown[] = [];
  const { handler } = createSite(manager, reported);
  const response = await handler(new Request(`http://localhost/images/${slug}/${versions[0]}?fileType=.img`));
  await response.arrayBuffer();
  assertThat(
    response.status === 200,
    `it answers HTTP ${response.status}, having told: ${reported.map(String)}`,
  );
}

async function inTheEnd(what: string, run: () => Promise<void>): Promise<void> {
  try {
    await unlessHanging(what, run);
  } catch (failure) {
    if (failure instanceof Finding) throw new Finding(`${what}: ${failure.message}`, { cause: failure });
    throw new Finding(`${what} fails: ${(failure as Error).stack}`, { cause: failure });
  }
}
