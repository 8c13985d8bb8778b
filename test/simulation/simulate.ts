// One run: some time in which everything may go wrong, then a quiet time in which everything has to come right.
import { hash } from "node:crypto";
import { replaceDisk } from "../../src/adapters/fs/disk.ts";
import { replaceClock } from "../../src/core/clock.ts";
import { Cluster } from "./cluster.ts";
import { DiskStore } from "./disk-store.ts";
import { planFaults } from "./faults.ts";
import type { Narrowing } from "./narrowing.ts";
import type { Profile } from "./profile.ts";
import { checkQuietly } from "./quiet.ts";
import { shrinkBounds } from "./sizes.ts";
import { World } from "./world.ts";

/** What came of a seed. */
export interface Result {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly trace: readonly string[];
  /** SHA-256 of the trace. */
  readonly fingerprint: string;
  readonly decisions: number;
  readonly profile: Profile;
}

/** Runs a seed, or what a narrowing leaves of it. Only one runs at a time. */
export async function simulate(seed: number, narrowing: Narrowing = {}): Promise<Result> {
  const world = new World(seed, narrowing.draw);
  const restore = [replaceClock(world.clock()), hashAtOnce(), shrinkBounds(), watchRejections(world)];
  try {
    const cluster = new Cluster(world, narrowing);
    if (cluster.store instanceof DiskStore) restore.push(replaceDisk(cluster.store.disk));
    for (let index = 1; index <= cluster.profile.versions; index++) cluster.addVersion(`${index}.0.0`);
    for (let index = 0; index < cluster.profile.processes; index++) cluster.start();
    planFaults(cluster);
    await world.runUntil(() => world.violations.length > 0, cluster.faultyMs);
    if (world.violations.length === 0) await checkQuietly(cluster);
    const fingerprint = hash("sha256", world.trace.join("\n"), "hex");
    const { violations, trace, decisions } = world;
    return { seed, violations, trace, fingerprint, decisions, profile: cluster.profile };
  } finally {
    for (const undo of restore) undo();
  }
}

/** The platform hashes in other threads: when it is done can't be repeated. */
function hashAtOnce(): () => void {
  const { subtle } = crypto;
  const digest = async (_name: unknown, bytes: BufferSource) =>
    new Uint8Array(hash("sha256", bytes as Uint8Array, "buffer")).buffer;
  Object.defineProperty(subtle, "digest", { value: digest, configurable: true });
  return () => Reflect.deleteProperty(subtle, "digest");
}

function watchRejections(world: World): () => void {
  const onRejection = (failure: unknown) =>
    world.violate(`a rejection is handled by nobody: ${(failure as Error)?.stack}`);
  process.on("unhandledRejection", onRejection);
  return () => process.off("unhandledRejection", onRejection);
}
