// The processes of a run, each with a manager, a client of the store and two callers; and what must hold of all that they store and tell.
import { hash } from "node:crypto";
import { createImageManager, type ImageManager } from "../../src/core/index.ts";
import type { Hasher } from "../../src/core/types.ts";
import { createRandom, type Random } from "../soak/random.ts";
import { chunkBytes, createContent } from "./content.ts";
import { DiskStore } from "./disk-store.ts";
import { inflateAtOnce } from "./inflate.ts";
import { type Narrowing, narrowed } from "./narrowing.ts";
import { inOperation } from "./operation.ts";
import { type Profile, profileOf } from "./profile.ts";
import { callUntil, type Scene } from "./readers.ts";
import { wordsOf } from "./secrets.ts";
import { SimulatedStore, type StoreWatch, short } from "./store.ts";
import { storeRules } from "./store-rules.ts";
import { SimulatedUpstream, secret } from "./upstream.ts";
import type { SimulatedProcess, World } from "./world.ts";

/** Beyond every time limit of the library, as they are set here. */
export const longestMs = 30 * 60_000;
export const lease = { heartbeatMs: 500, ttlMs: 2_500, pollMs: 200 };

/** A process that lives. */
export interface Member {
  readonly process: SimulatedProcess;
  readonly manager: ImageManager;
}

/** A call, and where it is made. */
export interface Call<T> {
  readonly process: SimulatedProcess;
  run(): Promise<T>;
}

export class Cluster {
  readonly profile: Profile;
  /** How long everything may go wrong. */
  readonly faultyMs: number;
  readonly world: World;
  readonly store: SimulatedStore | DiskStore;
  readonly upstream: SimulatedUpstream;
  readonly scene: Scene;
  readonly revision: ReturnType<typeof createContent>;
  members: Member[] = [];
  /** Calls that have to end, and where they were made. */
  readonly pending = new Map<Promise<unknown>, SimulatedProcess>();
  readonly #narrowing: Narrowing;
  readonly #random: Random;
  #count = 0;

  constructor(world: World, narrowing: Narrowing = {}) {
    this.world = world;
    this.#narrowing = narrowing;
    this.#random = world.random("run");
    this.profile = narrowed(profileOf(createRandom(world.seed, "profile")), narrowing);
    this.faultyMs = narrowing.faultyMs ?? this.profile.faultyMs;
    world.note(`profile ${JSON.stringify(this.profile)}`);
    this.revision = createContent(world.random("content"));
    const Store = this.profile.store.isDisk ? DiskStore : SimulatedStore;
    this.store = new Store(world, this.profile.store, [secretRule(world), this.#rules()]);
    this.upstream = new SimulatedUpstream(world, this.profile);
    this.scene = { world, upstream: this.upstream, hasUpkeep: this.profile.hasUpkeep };
  }

  #rules(): StoreWatch {
    return storeRules({
      world: this.world,
      profile: this.profile,
      values: () => this.store.values,
      revisionsOf: (name) => this.upstream.versions.find((version) => version.name === name)!.history,
    });
  }

  /** Whether listings leave keys out. Those of a disk do not. */
  get listsPoorly(): boolean {
    return this.profile.store.listsPoorly && !this.profile.store.isDisk;
  }

  /** Whether processes share downloads. */
  get canShare(): boolean {
    return !this.profile.store.lacksLeases && !this.listsPoorly;
  }

  addVersion(name: string): void {
    this.upstream.add(name, this.revision(`${name}-r1`, this.world.wallMs - 60_000));
  }

  start(): Member {
    const { profile } = this;
    const process: SimulatedProcess = { name: `p${++this.#count}`, state: "running", skewMs: 0 };
    if (profile.hasWrongClocks) process.skewMs = this.#random.int(-600_000, 600_000);
    const manager = createImageManager({
      source: this.upstream.source(process),
      storage: this.store.client(process),
      fetch: this.upstream.fetch(process),
      chunkBytes,
      memoryBytes: 8 * chunkBytes,
      maxBytes: this.listsPoorly ? undefined : profile.maxBytes,
      hash: hashNow,
      inflate: inflateAtOnce,
      lease,
      retry: { attempts: 4, minDelayMs: 100, maxDelayMs: 2_000, idleTimeoutMs: 4_000 },
      lookUpTimeoutMs: 2_000,
      storeTimeoutMs: 1_000,
      onEvent: (event) => {
        this.world.note(`event ${event.type}${"image" in event ? ` ${short(event.image)}` : ""}`);
        const told = JSON.stringify(event) + ("cause" in event ? wordsOf(event.cause) : "");
        if (told.includes(secret)) this.world.violate(`the event ${event.type} tells a secret`);
      },
    });
    const member = { process, manager };
    this.members.push(member);
    const { callers = 2, calls } = this.#narrowing;
    for (let caller = 0; caller < callers; caller++) {
      const random = this.world.random(`${process.name}/${caller}`);
      this.within(process, () => callUntil(this.scene, manager, random, this.faultyMs, calls));
    }
    return member;
  }

  /** Runs something in a process, and remembers that it has to end. */
  within<T>(process: SimulatedProcess, run: () => Promise<T>): Promise<T> {
    const done = new Promise<T>((resolve, reject) => {
      this.world.after(0, process, () => run().then(resolve, reject));
    });
    const seen = done.catch((failure) => this.world.violate(`a caller failed: ${failure?.stack}`));
    this.pending.set(seen, process);
    void seen.then(() => this.pending.delete(seen));
    return done;
  }

  kill(process: SimulatedProcess): void {
    this.world.note(`kills ${process.name}`);
    this.#end(process);
    this.start();
  }

  /** All processes die at once. */
  losePower(): void {
    this.world.note("loses power");
    const ended = this.members;
    for (const { process } of ended) this.#end(process);
    if (this.store instanceof DiskStore) this.store.losePower();
    for (const _ of ended) this.start();
  }

  #end(process: SimulatedProcess): void {
    process.state = "killed";
    this.members = this.members.filter((member) => member.process !== process);
    for (const [call, caller] of this.pending) if (caller === process) this.pending.delete(call);
  }

  /** Runs a call in a process to its end. */
  async call<T>(process: SimulatedProcess, what: string, run: () => Promise<T>): Promise<T | undefined> {
    const [result] = await this.calls([{ process, run }], what);
    return result;
  }

  /** Runs calls at once, each to its end. */
  async calls<T>(calls: readonly Call<T>[], what: string): Promise<(T | undefined)[]> {
    const results = new Map<number, T | undefined>();
    const attempt = async (run: () => Promise<T>) => {
      try {
        return await inOperation({ name: what, startedMs: this.world.nowMs }, run);
      } catch (failure) {
        this.world.violate(`${what} fails although nothing goes wrong: ${(failure as Error)?.stack}`);
        return undefined;
      }
    };
    for (const [index, { process, run }] of calls.entries())
      void this.within(process, async () => results.set(index, await attempt(run)));
    if (!(await this.world.runUntil(() => results.size === calls.length, longestMs)))
      this.world.violate(`${what} never ends`);
    this.world.note(`${what}: done`);
    return calls.map((_, index) => results.get(index));
  }
}

/** No value tells a planted secret. */
const secretRule = (world: World): StoreWatch => ({
  read: () => undefined,
  write(_call, key, bytes) {
    if (!key.includes(":chunks:") && new TextDecoder().decode(bytes).includes(secret))
      world.violate(`${short(key)} holds a secret`);
  },
  remove: () => undefined,
});

const hashNow: Hasher = async (bytes) => ({ sha256: hash("sha256", bytes, "hex"), bytes });
