// The end of a run: nothing goes wrong any more, and everything has to come right.
import { isImageManagerError } from "../../src/core/errors.ts";
import { type Cluster, lease, longestMs } from "./cluster.ts";
import { quiet } from "./profile.ts";
import { attempt, deviceType, readChecked } from "./readers.ts";
import { playScenes } from "./scenes.ts";
import { short } from "./store.ts";

const dayMs = 24 * 60 * 60_000;

/** Ends the faults, and checks. A run in which something did not hold is not looked at further. */
export async function checkQuietly(cluster: Cluster): Promise<void> {
  calm(cluster);
  const { listsPoorly } = cluster;
  const steps = [everyCallEnds, storeIsBack, everythingIsLive, oneTransferForAll, playScenes];
  for (const step of [...steps, ...(listsPoorly ? [] : [nothingIsLeft]), everythingGoes])
    if (cluster.world.violations.length === 0) await step(cluster);
}

function calm(cluster: Cluster): void {
  cluster.world.current = undefined;
  cluster.world.note("--- nothing goes wrong any more");
  const calm = quiet(cluster.profile);
  cluster.store.profile = calm.store;
  cluster.store.downUntilMs = 0;
  cluster.upstream.profile = calm;
  cluster.upstream.downUntilMs = 0;
  for (const version of cluster.upstream.versions) version.isWithdrawn = false;
  for (const { process } of cluster.members) {
    process.skewMs = 0;
    cluster.world.resume(process);
  }
}

async function everyCallEnds(cluster: Cluster): Promise<void> {
  const isOver = await cluster.world.runUntil(() => cluster.pending.size === 0, longestMs);
  const where = [...cluster.pending.values()].map(({ name }) => name).join(", ");
  if (!isOver) cluster.world.violate(`${cluster.pending.size} callers wait for ever (${where})`);
  await cluster.world.runUntil(() => false, 10 * lease.ttlMs);
}

/** A store that hung, or seemed to while the process was paused, is avoided for up to five minutes, each kind of call by itself, until a call after that has tried it out. */
async function storeIsBack(cluster: Cluster): Promise<void> {
  const { store, pauses } = cluster.profile;
  if (store.hangs + store.isSlow === 0 && !pauses) return;
  const { name } = cluster.upstream.versions[0]!;
  for (let trial = 1, isBack = false; trial <= 4 && !isBack; trial++) {
    await cluster.world.runUntil(() => false, 6 * 60_000);
    isBack = true;
    const ask = async (what: string, run: () => Promise<unknown>) => {
      const failure = await attempt(cluster.scene, what, run);
      if (isImageManagerError(failure) && failure.code !== "LISTING_INCOMPLETE") isBack = false;
    };
    const calls = cluster.members.map(({ process, manager }) => ({
      process,
      run: async () => {
        await ask("prefetch", () => manager.prefetch(deviceType, name, { cache: "reload" }));
        await ask("prune", () => manager.prune());
      },
    }));
    await cluster.calls(calls, `trial ${trial} of the store`);
  }
}

async function everythingIsLive(cluster: Cluster): Promise<void> {
  for (const { process, manager } of cluster.members) {
    for (const { name } of cluster.upstream.versions) {
      await cluster.call(process, `the last get of ${name}`, async () => {
        const read = async () => readChecked(cluster.scene, await manager.get(deviceType, name));
        const revisions = await read().catch((failure: unknown) => {
          if (mayBeMisled(cluster, failure)) return read();
          throw failure;
        });
        const isKnown = cluster.profile.validators !== "none" || cluster.profile.isInParts;
        if (isKnown && !revisions.includes(cluster.upstream.current(name)))
          cluster.world.violate(`${name} is not the upstream's any more, and nothing went wrong`);
      });
    }
  }
}

/**
 * A dead process may have left wrong bytes of a part whose checksum it did not live to compare. A reader may get them before the part
 * fails, and ends. The next one gets what is right.
 */
function mayBeMisled({ profile }: Cluster, failure: unknown): boolean {
  const isTold = isImageManagerError(failure) && failure.code === "IMAGE_CHANGED";
  return isTold && profile.isInParts && profile.upstream.answersWrongly > 0;
}

/** All processes want at once what none has. */
async function oneTransferForAll(cluster: Cluster): Promise<void> {
  cluster.addVersion("9.0.0");
  const before = cluster.upstream.bodies.length;
  const calls = cluster.members.map(({ process, manager }) => ({
    process,
    run: async () => readChecked(cluster.scene, await manager.get(deviceType, "9.0.0")),
  }));
  await cluster.calls(calls, "the gets of a new version");
  const transfers = cluster.upstream.bodies.length - before;
  const wanted = cluster.profile.isInParts ? cluster.profile.parts : 1;
  const most = cluster.canShare ? wanted : wanted * cluster.members.length;
  if (transfers < wanted || transfers > most)
    cluster.world.violate(`${transfers} bodies of 9.0.0 were fetched at once instead of ${wanted}`);
}

/** `cleanCache` deletes everything. */
async function everythingGoes(cluster: Cluster): Promise<void> {
  const { process, manager } = cluster.members[0]!;
  await cluster.call(process, "cleanCache", () => manager.cleanCache());
  const left = [...cluster.store.values.keys()];
  if (left.length > 0) cluster.world.violate(`cleanCache leaves ${left.map(short).join(", ")}`);
}

/** After a day and two sightings, the store holds what the images need and nothing else. */
async function nothingIsLeft(cluster: Cluster): Promise<void> {
  const { process, manager } = cluster.members[0]!;
  for (let sighting = 1; sighting <= 3; sighting++) {
    await cluster.world.runUntil(() => false, 2 * dayMs);
    await cluster.call(process, "prune", () => manager.prune());
  }
  const repaired = await cluster.call(process, "verify", () => manager.verify({ repair: true }));
  if (repaired?.damaged.some(({ isRepaired }) => !isRepaired))
    cluster.world.violate("verify can't repair an image");
  const report = await cluster.call(process, "verify", () => manager.verify());
  if (report && (report.orphans > 0 || report.damaged.length > 0 || report.unreadable.length > 0))
    cluster.world.violate(`verify finds ${JSON.stringify(report)}`);
  const left = [...cluster.store.values.keys()].filter((key) => /:(leases|partials|probe):/.test(key));
  if (left.length > 0) cluster.world.violate(`${left.map(short).join(", ")} is left`);
}
