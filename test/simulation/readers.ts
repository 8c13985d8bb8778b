// What the callers in a process do, one thing after the other, and what must hold of what they get.
import { isImageManagerError } from "../../src/core/errors.ts";
import type { CacheMode, GetOptions, ImageManager, ImageStream } from "../../src/core/types.ts";
import type { Random } from "../soak/random.ts";
import { bytesOf, chunkBytes, hasAt, type Revision } from "./content.ts";
import { inOperation } from "./operation.ts";
import { wordsOf } from "./secrets.ts";
import { type SimulatedUpstream, secret } from "./upstream.ts";
import type { World } from "./world.ts";

export const deviceType = "simulated-device";

/** What a caller needs. */
export interface Scene {
  readonly world: World;
  readonly upstream: SimulatedUpstream;
  readonly hasUpkeep: boolean;
}

/** Makes calls until the time is over, or as many as it may. */
export async function callUntil(
  scene: Scene,
  manager: ImageManager,
  random: Random,
  endMs: number,
  calls = Number.POSITIVE_INFINITY,
) {
  const { world } = scene;
  for (let made = 0; made < calls && world.nowMs < endMs; made++) {
    await world.sleep(random.next() * 2_000);
    const call = random.weighted(scene.hasUpkeep ? [...gets, ...upkeep] : gets);
    await attempt(scene, call.name, () => call(scene, manager, random));
  }
}

/** Runs a call, which may fail, but only with an error of the library that gives nothing away. */
export async function attempt(scene: Scene, what: string, run: () => Promise<unknown>): Promise<unknown> {
  const { world } = scene;
  try {
    const result = await inOperation({ name: what, startedMs: world.nowMs }, run);
    world.note(`${what}: done`);
    return result;
  } catch (failure) {
    world.note(`${what}: ${(failure as { code?: string }).code ?? failure}`);
    if (!isImageManagerError(failure) && !Object.hasOwn(Object(failure), "isSimulated"))
      world.violate(`${what} failed with ${(failure as Error)?.stack}`);
    if (wordsOf(failure).includes(secret)) world.violate(`${what}: the error tells a secret`);
    return failure;
  }
}

type Call = (scene: Scene, manager: ImageManager, random: Random) => Promise<unknown>;

const versionOf = ({ upstream }: Scene, random: Random): string => random.pick(upstream.versions).name;

async function get(scene: Scene, manager: ImageManager, random: Random) {
  const version = versionOf(scene, random);
  const wanted = random.chance(0.3) ? "latest" : version;
  const cache = random.weighted<CacheMode | undefined>([
    [12, undefined],
    [1, "no-cache"],
    [1, "reload"],
    [1, "no-store"],
    [1, "force-cache"],
    [1, "only-if-cached"],
  ]);
  const options: GetOptions = { cache };
  if (random.chance(0.15))
    options.range = { start: random.int(0, chunkBytes), end: random.int(chunkBytes + 1, 4 * chunkBytes) };
  const signal = random.chance(0.1) ? endingAfter(scene.world, random.next() * 3_000) : undefined;
  const stream = await manager.get(deviceType, wanted, { ...options, signal });
  scene.world.note(`get ${stream.version} (${cache ?? "default"}): ${stream.origin}`);
  // Asked for and left alone: it must not become a rejection that nobody handles.
  if (random.chance(0.3)) void stream.committed();
  const leavesAt = random.chance(0.1) ? random.int(0, 2 * chunkBytes) : Number.POSITIVE_INFINITY;
  const pauseMs = random.chance(0.2) ? random.int(1, 700) : 0;
  await readChecked(scene, stream, { range: options.range, leavesAt, pauseMs });
}

async function prefetch(scene: Scene, manager: ImageManager, random: Random) {
  await manager.prefetch(deviceType, versionOf(scene, random));
}

async function isFresh(scene: Scene, manager: ImageManager, random: Random) {
  await manager.isFresh(deviceType, versionOf(scene, random));
}

async function prune(_scene: Scene, manager: ImageManager) {
  await manager.prune();
}

async function verify(_scene: Scene, manager: ImageManager, random: Random) {
  await manager.verify({ repair: random.chance(0.5) });
}

async function remove(scene: Scene, manager: ImageManager, random: Random) {
  await manager.remove(deviceType, versionOf(scene, random));
}

async function cleanCache(_scene: Scene, manager: ImageManager) {
  await manager.cleanCache();
}

async function list(_scene: Scene, manager: ImageManager) {
  for await (const _image of manager.list());
}

const gets: readonly (readonly [number, Call])[] = [
  [12, get],
  [3, prefetch],
  [1, isFresh],
];
const upkeep: readonly (readonly [number, Call])[] = [
  [1, prune],
  [1, verify],
  [1, remove],
  [0.5, cleanCache],
  [1, list],
];

/** Aborts with an error that the caller knows again. */
function endingAfter(world: World, delayMs: number): AbortSignal {
  const controller = new AbortController();
  const reason = Object.assign(new Error("The caller has left"), { isSimulated: true });
  world.after(delayMs, world.current, () => controller.abort(reason));
  return controller.signal;
}

interface Reading {
  readonly range?: GetOptions["range"];
  readonly leavesAt?: number;
  readonly pauseMs?: number;
}

/** Reads a stream. Its bytes must all be of one revision of its version, and if it ends, there must be all of them. */
export async function readChecked(
  scene: Scene,
  stream: ImageStream,
  reading: Reading = {},
): Promise<Revision[]> {
  const { world, upstream } = scene;
  const { range, leavesAt = Number.POSITIVE_INFINITY, pauseMs = 0 } = reading;
  const { history } = upstream.versions.find(({ name }) => name === stream.version)!;
  const start = range?.start ?? 0;
  const endOf = ({ size }: Revision) => Math.min(size, range?.end ?? size);
  let possible = [...history];
  let seen = history.length;
  let offset = start;
  for await (const piece of stream) {
    // A revision that came meanwhile may begin as the others do.
    const before = bytesOf(possible[0]!, start, offset);
    const added = history.slice(seen).filter((revision) => hasAt(revision, start, before));
    seen = history.length;
    possible = [...possible, ...added].filter((revision) => hasAt(revision, offset, piece));
    if (possible.length === 0) {
      world.violate(
        `bytes ${offset} to ${offset + piece.length} of ${stream.version} are of no single revision`,
      );
      return [];
    }
    offset += piece.length;
    if (offset >= leavesAt) return possible;
    if (pauseMs > 0) await world.sleep(pauseMs);
  }
  const whole = possible.filter((revision) => offset === Math.max(start, endOf(revision)));
  if (whole.length === 0)
    world.violate(`${stream.version} ended at ${offset}, which is the end of no revision`);
  return whole;
}
