// What befalls processes, store and upstream while a run goes on.
import type { Random } from "../soak/random.ts";
import { type Cluster, lease } from "./cluster.ts";
import type { SimulatedProcess } from "./world.ts";

const dayMs = 24 * 60 * 60_000;

/** Lets things go wrong, one after the other. */
export function planFaults(cluster: Cluster): void {
  const random = cluster.world.random("faults");
  for (let atMs = 0; atMs < cluster.faultyMs; atMs += 300 + random.next() * 4_000) {
    cluster.world.after(atMs, undefined, () => fault(cluster, random));
  }
}

function fault(cluster: Cluster, random: Random): void {
  const { profile } = cluster;
  cluster.world.current = undefined;
  const { process } = random.pick(cluster.members);
  const faults: (() => void)[] = [];
  if (profile.kills) faults.push(() => cluster.kill(process));
  if (profile.losesPower) faults.push(() => cluster.losePower());
  if (profile.pauses) faults.push(() => pause(cluster, process, random.next() * 3 * lease.ttlMs));
  if (profile.hasWrongClocks) faults.push(() => jump(cluster, process, random.int(-dayMs, dayMs)));
  if (profile.upstream.changes) faults.push(() => change(cluster, random));
  if (profile.upstream.withdraws) faults.push(() => withdraw(cluster, random));
  if (profile.store.hangs > 0) faults.push(() => stop(cluster, cluster.store, "store", random));
  if (profile.upstream.refuses > 0) faults.push(() => stop(cluster, cluster.upstream, "upstream", random));
  if (faults.length > 0) random.pick(faults)();
}

function pause(cluster: Cluster, process: SimulatedProcess, durationMs: number): void {
  process.state = "paused";
  cluster.world.note(`pauses ${process.name} for ${Math.round(durationMs)} ms`);
  cluster.world.after(durationMs, undefined, () => cluster.world.resume(process));
}

function jump(cluster: Cluster, process: SimulatedProcess, skewMs: number): void {
  process.skewMs = skewMs;
  cluster.world.note(`sets the clock of ${process.name} wrong by ${Math.round(skewMs / 1000)} s`);
}

function change(cluster: Cluster, random: Random): void {
  const version = random.pick(cluster.upstream.versions);
  const revision = cluster.revision(`${version.name}-r${version.history.length + 1}`, cluster.world.wallMs);
  version.history.push(revision);
  cluster.world.note(`upstream: ${version.name} is now ${revision.name}`);
}

function withdraw(cluster: Cluster, random: Random): void {
  const version = random.pick(cluster.upstream.versions);
  version.isWithdrawn = !version.isWithdrawn;
  cluster.world.note(`upstream: ${version.name} is ${version.isWithdrawn ? "withdrawn" : "back"}`);
}

function stop(cluster: Cluster, what: { downUntilMs: number }, name: string, random: Random): void {
  what.downUntilMs = cluster.world.nowMs + random.next() * 8_000;
  cluster.world.note(`${name}: away until ${Math.round(what.downUntilMs)} ms`);
}
