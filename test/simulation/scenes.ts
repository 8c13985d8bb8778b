// Scenes at the end of a run: one thing happens at a chosen moment, and nothing else goes wrong. So it is known exactly what must come of it.
import { hash } from "node:crypto";
import { type Cluster, lease, longestMs, type Member } from "./cluster.ts";
import { chunkBytes } from "./content.ts";
import { DiskStore } from "./disk-store.ts";
import type { Scenes } from "./profile.ts";
import { deviceType, readChecked } from "./readers.ts";
import { short } from "./store.ts";
import type { SimulatedProcess } from "./world.ts";

/** Longer than any download takes if nothing goes wrong. */
const downloadMs = 6_000;
const prefix = "balena-images:v1:";

/** Plays the scenes of the profile. */
export async function playScenes(cluster: Cluster): Promise<void> {
  const { scenes } = cluster.profile;
  for (const [index, name] of (Object.keys(plays) as (keyof Scenes)[]).entries()) {
    if (!scenes[name] || cluster.world.violations.length > 0) continue;
    const version = `8.${index}.0`;
    cluster.addVersion(version);
    cluster.world.note(`--- scene "${name}" with ${version}`);
    await plays[name](cluster, version);
    await cluster.world.runUntil(() => cluster.pending.size === 0, longestMs);
  }
}

type Play = (cluster: Cluster, version: string) => Promise<void>;

/** All want an image, and the process that downloads it is killed. Another one goes on where it stood, in bounded time. */
const kill: Play = async (cluster, version) => {
  const { world, upstream } = cluster;
  const ends = cluster.members.map((member) => getAll(cluster, member, version));
  const owner = await momentOf(cluster, version);
  if (!owner) return;
  const known = resumableBytes(cluster, version);
  cluster.kill(owner);
  const sentBefore = upstream.sentOf(version);
  const left = ends.filter(({ process }) => process !== owner);
  if (left.length === 0) return;
  await allEnd(
    cluster,
    left,
    lease.ttlMs + downloadMs,
    `survivors of ${owner.name} wait too long for ${version}`,
  );
  const { size } = upstream.current(version);
  const sent = upstream.sentOf(version) - sentBefore;
  if (isResumable(cluster) && sent > size - known)
    world.violate(`${sent} bytes of ${version} were sent, though only ${size - known} were missing`);
  await nothingOfItIsUnderWay(cluster, version);
};

/** The process that downloads is paused until another one has the image. When it comes back, it ends well and leaves nothing. */
const pause: Play = async (cluster, version) => {
  const { world } = cluster;
  const ends = cluster.members.map((member) => getAll(cluster, member, version));
  const owner = await momentOf(cluster, version);
  if (!owner) return;
  owner.state = "paused";
  world.note(`pauses ${owner.name}`);
  const others = ends.filter(({ process }) => process !== owner);
  await allEnd(cluster, others, lease.ttlMs + downloadMs, `${version} is not taken over from ${owner.name}`);
  await world.runUntil(() => false, world.random(`scenes/${version}/rest`).next() * 3_000);
  world.note(`resumes ${owner.name}`);
  world.resume(owner);
  await allEnd(
    cluster,
    ends,
    lease.ttlMs + 2 * downloadMs,
    `${owner.name} was paused, and never ends with ${version}`,
  );
  await nothingOfItIsUnderWay(cluster, version);
};

/** The cache is cleaned while an image comes. Its bytes are delivered, but it is not stored. */
const clean: Play = async (cluster, version) => {
  const { world, store } = cluster;
  const member = cluster.members[0]!;
  const end = getAll(cluster, member, version);
  const owner = await momentOf(cluster, version);
  if (!owner) return;
  await cluster.call(member.process, "cleanCache", () => member.manager.cleanCache());
  await allEnd(cluster, [end], downloadMs, `${version} was cleaned, and is not delivered`);
  await world.runUntil(() => false, lease.ttlMs);
  const left = [...store.values.keys()].filter((key) => /:(images|chunks|leases|partials):/.test(key));
  if (left.length > 0)
    world.violate(
      `the download of ${version} began before cleanCache, which leaves ${left.map(short).join(", ")}`,
    );
};

/** A chunk of a stored image is lost or damaged. The next get has the right bytes, and the one after it finds the chunk again. */
const heal: Play = async (cluster, version) => {
  const { world, store, upstream } = cluster;
  if (store instanceof DiskStore) return; // it has damages of its own
  const random = world.random(`scenes/${version}`);
  const member = cluster.members[0]!;
  await cluster.call(member.process, `a get of ${version}`, () => read(cluster, member, version));
  const chunks = [...digestsOf(cluster, version)];
  if (chunks.length === 0) return;
  const key = chunkKeyOf(random.pick(chunks));
  damage(store.values, key, random.int(0, 2));
  world.note(`damages ${short(key)}`);
  const before = upstream.sentOf(version);
  const next = random.pick(cluster.members);
  await cluster.call(next.process, `a get of a damaged ${version}`, () => read(cluster, next, version));
  await world.runUntil(() => false, downloadMs);
  const bytes = store.values.get(key);
  if (!bytes || !key.endsWith(hash("sha256", bytes, "hex")))
    world.violate(`${short(key)} of ${version} was damaged, and is not healed`);
  const sent = upstream.sentOf(version) - before;
  const { size } = upstream.current(version);
  if (sent > size) world.violate(`${sent} bytes of ${version} were sent to heal one chunk of ${size}`);
};

/** Who wants an image right after another process has stored it waits for no lease. */
const again: Play = async (cluster, version) => {
  const { world, upstream } = cluster;
  const [first, second] = [cluster.members[0]!, cluster.members.at(-1)!];
  await cluster.call(first.process, `a get of ${version}`, () => read(cluster, first, version));
  const [startMs, count] = [world.nowMs, upstream.bodies.length];
  const end = getAll(cluster, second, version, "reload");
  await world.runUntil(() => upstream.bodies.length > count, downloadMs);
  const waitedMs = world.nowMs - startMs;
  if (waitedMs > 1_000)
    world.violate(
      `${second.process.name} asks for ${version} only ${Math.round(waitedMs)} ms after it was wanted again`,
    );
  await allEnd(cluster, [end], downloadMs, `${version} does not come again`);
  await nothingOfItIsUnderWay(cluster, version);
};

const plays: Record<keyof Scenes, Play> = { again, heal, clean, kill, pause };

interface End {
  readonly process: SimulatedProcess;
  isOver: boolean;
}

/** Gets and checks an image. Nothing goes wrong with its bytes, so the get must not fail. */
function getAll(cluster: Cluster, member: Member, version: string, cache?: "reload"): End {
  const end: End = { process: member.process, isOver: false };
  void cluster.within(member.process, async () => {
    try {
      await read(cluster, member, version, cache);
    } catch (failure) {
      cluster.world.violate(
        `the get of ${version} in ${member.process.name} fails: ${(failure as Error)?.stack}`,
      );
    }
    end.isOver = true;
  });
  return end;
}

async function read(cluster: Cluster, { manager }: Member, version: string, cache?: "reload"): Promise<void> {
  await readChecked(cluster.scene, await manager.get(deviceType, version, { cache }));
}

async function allEnd(
  cluster: Cluster,
  ends: readonly End[],
  limitMs: number,
  otherwise: string,
): Promise<void> {
  const isOver = () => ends.every((end) => end.isOver) || cluster.world.violations.length > 0;
  if (!(await cluster.world.runUntil(isOver, limitMs))) cluster.world.violate(otherwise);
}

/** Some moment of a download: the process that has the lease by then, if it is not over. */
async function momentOf(cluster: Cluster, version: string): Promise<SimulatedProcess | undefined> {
  const { world, store } = cluster;
  await world.runUntil(() => keysOf(cluster, "leases", version).length > 0, downloadMs);
  await world.runUntil(() => false, world.random(`scenes/${version}`).next() * 1_200);
  world.current = undefined;
  const [key] = keysOf(cluster, "leases", version);
  if (key === undefined || keysOf(cluster, "images", version).length > 0) return undefined;
  const { owner } = jsonOf(store.values.get(key)!) as { owner: string };
  return cluster.members.find(({ process }) => owner.startsWith(`${process.name}~`))?.process;
}

/** Nobody waits for what nobody keeps, and nobody takes up what is done. */
async function nothingOfItIsUnderWay(cluster: Cluster, version: string): Promise<void> {
  await cluster.world.runUntil(() => false, 1_000);
  const left = [...keysOf(cluster, "leases", version), ...keysOf(cluster, "partials", version)];
  if (left.length > 0)
    cluster.world.violate(`${version} is stored, but ${left.map(short).join(", ")} is left`);
}

const keysOf = ({ store }: Cluster, folder: string, version: string): string[] =>
  [...store.values.keys()].filter((key) => key.startsWith(`${prefix}${folder}:${deviceType}~${version}~`));

/** Whether a download goes on with a range: the bytes of the file are the image's, and known again. */
const isResumable = ({ profile }: Cluster): boolean =>
  profile.validators === "strong" && profile.hasRanges && !profile.isInParts && !profile.isPacked;

/** What need not be asked for again. The last chunk is, so that there is a range to ask for. */
function resumableBytes(cluster: Cluster, version: string): number {
  const bytes = journaledChunks(cluster, version) * chunkBytes;
  return bytes === cluster.upstream.current(version).size ? bytes - chunkBytes : bytes;
}

/** What the journals of an image name. */
function journaledChunks(cluster: Cluster, version: string): number {
  const segments = keysOf(cluster, "partials", version).filter((key) => !key.includes(":wire:"));
  const ends = segments.map((key) => {
    const { from, digests } = jsonOf(cluster.store.values.get(key)!) as { from: number; digests: unknown[] };
    return from + digests.length;
  });
  return Math.max(0, ...ends);
}

function digestsOf(cluster: Cluster, version: string): Set<string> {
  const [key] = keysOf(cluster, "images", version);
  if (key === undefined) return new Set();
  const { chunks } = jsonOf(cluster.store.values.get(key)!) as { chunks: (string | null)[] };
  return new Set(chunks.filter((digest) => digest !== null));
}

const chunkKeyOf = (digest: string) => `${prefix}chunks:${digest.slice(0, 2)}:${digest}`;

function damage(values: Map<string, Uint8Array>, key: string, how: number): void {
  const bytes = values.get(key);
  if (!bytes || how === 0) values.delete(key);
  else if (how === 1) values.set(key, bytes.slice(0, -1));
  else values.set(key, bytes.with(0, bytes[0]! ^ 1));
}

const jsonOf = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));
