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
  read(process: SimulatedProcess, key: string): void;
  /** `before`: what was there until now. */
  write(process: SimulatedProcess, key: string, bytes: Uint8Array, before: Uint8Array | undefined): void;
  remove(process: SimulatedProcess, key: string, operation: Operation | undefined): void;
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
    const write = (key: string, bytes: Uint8Array, isTorn: boolean) =>
      this.#write(process, key, bytes, isTorn);
    return {
      name: "simulated",
      capabilities: { completeListing: !listsPoorly },
      hasItem: (key) => call(`has ${key}`, () => values.has(key)),
      getItem: () => null,
      getItemRaw: (key, { maxBytes = Number.POSITIVE_INFINITY }) =>
        call(`read ${key}`, () => {
          for (const watch of this.#watches) watch.read(process, key);
          const bytes = values.get(key);
          return bytes && bytes.length <= maxBytes ? new Uint8Array(bytes) : null;
        }),
      setItem: () => undefined,
      setItemRaw: (key, value) => call(`write ${key}`, (isTorn) => write(key, value as Uint8Array, isTorn)),
      removeItem: (key) => {
        const operation = operationOf();
        return call(`remove ${key}`, () => this.#remove(process, key, operation));
      },
      getKeys: (base = "") => this.#list(process, base),
      ...(!lacksLeases && {
        createIfAbsent: (key, bytes) =>
          call(`create ${key}`, (isTorn) => {
            if (values.has(key)) return "exists";
            write(key, bytes, isTorn);
            return "created";
          }),
      }),
      ...(removesMany && {
        removeItems: (keys) => {
          const operation = operationOf();
          return call(`remove ${keys.length} keys`, () => this.#removeMany(process, keys, operation));
        },
      }),
    };
  }

  #remove(process: SimulatedProcess, key: string, operation: Operation | undefined): void {
    if (this.values.has(key)) for (const watch of this.#watches) watch.remove(process, key, operation);
    this.values.delete(key);
  }

  /** Each key may fail by itself. */
  #removeMany(process: SimulatedProcess, keys: readonly string[], operation: Operation | undefined) {
    const failed = keys.filter(() => this.#random.chance(this.profile.fails));
    for (const key of keys) if (!failed.includes(key)) this.#remove(process, key, operation);
    return failed.map((key): FailedKey => ({ key, cause: new Error(`The store fails at ${key}`) }));
  }

  #write(process: SimulatedProcess, key: string, bytes: Uint8Array, isTorn: boolean): void {
    for (const watch of this.#watches) watch.write(process, key, bytes, this.values.get(key));
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
