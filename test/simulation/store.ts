// One store, and a client of it for each process. A call takes effect some time after it is made, and is answered some time after that.
import type { FailedKey, StoreDriver } from "../../src/core/types.ts";
import type { Random } from "../soak/random.ts";
import { type Operation, operationOf } from "./operation.ts";
import type { Profile } from "./profile.ts";
import type { SimulatedProcess, World } from "./world.ts";

type Fate = "answers" | "fails" | "loses its answer" | "tears" | "hangs" | "hangs after it";

/** What a call does to the store. A write that is torn leaves the first bytes. */
type Effect<T> = (isTorn: boolean) => T;

/** Sees what is about to take effect. */
export interface StoreWatch {
  /** A value was read at some time, and the answer has come. */
  read(call: StoreCall, key: string, effectMs: number): void;
  /** `before`: what was there until now. */
  write(call: StoreCall, key: string, bytes: Uint8Array, before: Uint8Array | undefined): void;
  remove(call: StoreCall, key: string): void;
}

/** By whom a store is asked, and when. */
export interface StoreCall {
  readonly process: SimulatedProcess;
  readonly calledMs: number;
  readonly operation: Operation | undefined;
}

export class SimulatedStore {
  readonly values = new Map<string, Uint8Array>();
  profile: Profile["store"];
  /** Until then it answers nobody. */
  downUntilMs = 0;
  readonly #world: World;
  readonly #random: Random;
  readonly #watches: readonly StoreWatch[];

  constructor(world: World, profile: Profile["store"], watches: readonly StoreWatch[]) {
    this.#world = world;
    this.#random = world.random("store");
    this.profile = profile;
    this.#watches = watches;
  }

  client(process: SimulatedProcess): StoreDriver {
    const { values } = this;
    const { listsPoorly, lacksLeases, removesMany } = this.profile;
    const call = <T>(what: string, effect: Effect<T>) => this.#call(process, what, effect);
    const calling = (): StoreCall => ({
      process,
      calledMs: this.#world.nowMs,
      operation: operationOf(),
    });
    return {
      name: "simulated",
      capabilities: { completeListing: !listsPoorly },
      hasItem: (key) => call(`has ${key}`, () => values.has(key)),
      getItem: () => null,
      getItemRaw: (key, { maxBytes = Number.POSITIVE_INFINITY }) => this.#read(calling(), key, maxBytes),
      setItem: () => undefined,
      setItemRaw: (key, value) => {
        const by = calling();
        return call(`write ${key}`, (isTorn) => this.#write(by, key, value as Uint8Array, isTorn));
      },
      removeItem: (key) => {
        const by = calling();
        return call(`remove ${key}`, () => this.#remove(by, key));
      },
      getKeys: (base = "") => this.#list(process, base),
      ...(!lacksLeases && {
        createIfAbsent: (key, bytes) => {
          const by = calling();
          return call(`create ${key}`, (isTorn) => {
            if (values.has(key)) return "exists";
            this.#write(by, key, bytes, isTorn);
            return "created";
          });
        },
      }),
      ...(removesMany && {
        removeItems: (keys) => {
          const by = calling();
          return call(`remove ${keys.length} keys`, () => this.#removeMany(by, keys));
        },
      }),
    };
  }

  async #read(by: StoreCall, key: string, maxBytes: number): Promise<Uint8Array | null> {
    let effectMs = 0;
    const value = await this.#call(by.process, `read ${key}`, () => {
      effectMs = this.#world.nowMs;
      const bytes = this.values.get(key);
      return bytes && bytes.length <= maxBytes ? new Uint8Array(bytes) : null;
    });
    for (const watch of this.#watches) watch.read(by, key, effectMs);
    return value;
  }

  #remove(by: StoreCall, key: string): void {
    if (this.values.has(key)) for (const watch of this.#watches) watch.remove(by, key);
    this.values.delete(key);
  }

  /** Each key may fail by itself. */
  #removeMany(by: StoreCall, keys: readonly string[]) {
    const failed = keys.filter(() => this.#random.chance(this.profile.fails));
    for (const key of keys) if (!failed.includes(key)) this.#remove(by, key);
    return failed.map((key): FailedKey => ({ key, cause: new Error(`The store fails at ${key}`) }));
  }

  #write(by: StoreCall, key: string, bytes: Uint8Array, isTorn: boolean): void {
    for (const watch of this.#watches) watch.write(by, key, bytes, this.values.get(key));
    if (isTorn) {
      this.values.set(key, bytes.slice(0, this.#random.int(0, bytes.length - 1)));
      this.#world.note(`store: tears ${short(key)}`);
      return;
    }
    const isDamaged = key.includes(":chunks:") && this.#random.chance(this.profile.damages);
    this.values.set(key, isDamaged ? this.#damaged(bytes) : new Uint8Array(bytes));
    if (isDamaged) this.#world.note(`store: damages ${short(key)}`);
  }

  #damaged(bytes: Uint8Array): Uint8Array {
    if (this.#random.chance(0.5)) return bytes.slice(0, this.#random.int(1, bytes.length - 1));
    const damaged = new Uint8Array(bytes);
    damaged[this.#random.int(0, bytes.length - 1)]! ^= 0x40;
    return damaged;
  }

  #list(process: SimulatedProcess, base: string): Promise<string[]> {
    const isLeftOut = () => this.profile.listsPoorly && this.#random.chance(0.2);
    const keys = () => [...this.values.keys()].filter((key) => key.startsWith(base) && !isLeftOut()).sort();
    if (!this.profile.listsInPieces) return this.#call(process, `list ${base}`, keys);
    return new Promise((resolve, reject) => {
      const first = keys();
      const rest = this.#call(process, `list ${base}`, () => {
        const last = keys();
        const middle = first[Math.floor(first.length / 2)];
        if (middle === undefined) return last;
        return [...first.filter((key) => key < middle), ...last.filter((key) => key >= middle)];
      });
      rest.then(resolve, reject);
    });
  }

  #call<T>(process: SimulatedProcess, what: string, effect: Effect<T>): Promise<T> {
    const fate = this.#fate();
    const [there, back] = [this.#latencyMs(), this.#latencyMs()];
    return new Promise<T>((resolve, reject) => {
      const answer = (run: () => void) => this.#world.after(back, process, run);
      const fail = () => reject(Object.assign(new Error(`The store ${fate} at ${what}`), { code: "EIO" }));
      this.#world.after(there, undefined, () => {
        this.#world.note(`store: ${process.name} ${short(what)}${fate === "answers" ? "" : ` (${fate})`}`);
        if (fate === "hangs") return;
        // What a dead process has sent may not have arrived.
        const isLost = process.state === "killed" && this.#random.chance(0.5);
        if (isLost && !(this.profile.tears > 0)) return;
        if (fate === "fails") return void answer(fail);
        let result: T;
        try {
          result = effect(fate === "tears" || isLost);
        } catch (failure) {
          return void answer(() => reject(failure));
        }
        if (fate === "loses its answer" || fate === "tears") answer(fail);
        else if (fate === "answers") answer(() => resolve(result));
      });
    });
  }

  #fate(): Fate {
    const { fails, losesAnswer, tears, hangs } = this.profile;
    const random = this.#random.next();
    if (this.#world.nowMs < this.downUntilMs) return random < 0.5 ? "fails" : "hangs";
    if (random < fails) return "fails";
    if (random < fails + losesAnswer) return "loses its answer";
    if (random < fails + losesAnswer + tears) return "tears";
    if (random < fails + losesAnswer + tears + hangs)
      return this.#random.chance(0.5) ? "hangs" : "hangs after it";
    return "answers";
  }

  #latencyMs(): number {
    const { latencyMs, isSlow } = this.profile;
    return this.#random.next() * (this.#random.chance(isSlow) ? 3_000 : latencyMs);
  }
}

/** Digests and identities are long; their beginnings tell enough. */
export const short = (text: string): string =>
  text.replace(/[0-9a-f]{32,64}/g, (hex) => hex.slice(0, 6)).replaceAll("balena-images:v1:", "");
