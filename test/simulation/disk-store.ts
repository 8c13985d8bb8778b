// The fs adapter on a simulated disk, as the one store of all processes.
import { levelOfDirectory, levelOfFile } from "../../src/adapters/fs/file-name.ts";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import type { CreateResult, StoreDriver } from "../../src/core/types.ts";
import { type Caller, type DiskWatch, SimulatedDisk } from "./disk.ts";
import type { DirectoryNode } from "./disk-tree.ts";
import type { Profile } from "./profile.ts";
import { type StoreCall, type StoreWatch, short } from "./store.ts";
import type { SimulatedProcess, World } from "./world.ts";

const base = "/store";

export class DiskStore {
  readonly disk: SimulatedDisk;
  readonly #world: World;
  readonly #watches: readonly StoreWatch[];
  readonly #isFlushed: boolean;
  /** All that a key has ever had. */
  readonly #written = new Map<string, Uint8Array[]>();
  /** How often a key was created, so the caller was told, and deleted. */
  readonly #created = new Map<string, number>();
  readonly #removed = new Map<string, number>();
  #values: Map<string, Uint8Array> | undefined;

  constructor(world: World, profile: Profile["store"], watches: readonly StoreWatch[]) {
    this.#world = world;
    this.#watches = watches;
    this.#isFlushed = profile.flushes;
    this.disk = new SimulatedDisk(world, profile, this.#diskWatch());
  }

  get values(): ReadonlyMap<string, Uint8Array> {
    const root = this.disk.tree.at(base);
    this.#values ??= new Map(root instanceof Map ? keysIn(root, "") : []);
    return this.#values;
  }

  set profile(profile: Profile["store"]) {
    this.disk.profile = profile;
  }

  set downUntilMs(untilMs: number) {
    this.disk.downUntilMs = untilMs;
  }

  client(_process: SimulatedProcess): StoreDriver {
    const driver = fsAdapter({ base, fsync: this.#isFlushed });
    const createIfAbsent = async (key: string, bytes: Uint8Array): Promise<CreateResult> => {
      const result = await driver.createIfAbsent!(key, bytes);
      if (result === "created") this.#assertOneWinner(key);
      return result;
    };
    return { ...driver, createIfAbsent };
  }

  /** After it, each key has what it had at some time, or nothing. If files are flushed, it is never torn. */
  losePower(): void {
    const before = [...this.values.keys()];
    this.disk.losePower();
    this.#values = undefined;
    for (const key of before) if (!this.values.has(key)) this.#onRemoved(undefined, key);
    for (const [key, bytes] of this.values) {
      const isWhole = this.#written.get(key)?.some((value) => Buffer.compare(value, bytes) === 0);
      if (!isWhole) this.#world.note(`store: ${short(key)} is torn`);
      if (!isWhole && this.#isFlushed) this.#world.violate(`${short(key)} was flushed, and is torn`);
    }
  }

  #assertOneWinner(key: string): void {
    const created = (this.#created.get(key) ?? 0) + 1;
    this.#created.set(key, created);
    const removed = this.#removed.get(key) ?? 0;
    if (created > removed + 1)
      this.#world.violate(`${short(key)} was created ${created} times, and deleted ${removed} times`);
  }

  #diskWatch(): DiskWatch {
    return {
      placed: (caller, path, bytes, before) => {
        const key = keyOf(path);
        if (key === undefined) return;
        this.#values = undefined;
        this.#written.set(key, [...(this.#written.get(key) ?? []), bytes]);
        this.#world.note(`store: ${caller.process.name} write ${short(key)}`);
        for (const watch of this.#watches) watch.write(callOf(caller), key, bytes, before);
      },
      removed: (caller, path) => {
        const key = keyOf(path);
        if (key === undefined) return;
        this.#world.note(`store: ${caller.process.name} remove ${short(key)}`);
        this.#onRemoved(caller, key);
        this.#values = undefined;
      },
      opened: (caller, path) => {
        const key = keyOf(path);
        if (key !== undefined)
          for (const watch of this.#watches) watch.read(callOf(caller), key, this.#world.nowMs);
      },
    };
  }

  #onRemoved(caller: Caller | undefined, key: string): void {
    this.#removed.set(key, (this.#removed.get(key) ?? 0) + 1);
    for (const watch of this.#watches) watch.remove(callOf(caller), key);
  }
}

/** When the adapter was called is not known here. */
function callOf(caller: Caller | undefined): StoreCall {
  const process = caller?.process ?? { name: "power", state: "killed", skewMs: 0 };
  return { process, operation: caller?.operation, calledMs: 0 };
}

/** `undefined` for a file that is not one of the store's. */
function keyOf(path: string): string | undefined {
  const names = path.slice(base.length + 1).split("/");
  const file = levelOfFile(names.pop() ?? "");
  const levels = [...names.map(levelOfDirectory), file];
  return levels.includes(undefined) ? undefined : levels.join(":");
}

function* keysIn(directory: DirectoryNode, parent: string): Generator<[string, Uint8Array]> {
  for (const [name, node] of directory) {
    if (node instanceof Map) {
      const level = levelOfDirectory(name);
      if (level !== undefined) yield* keysIn(node, `${parent}${level}:`);
    } else {
      const level = levelOfFile(name);
      if (level !== undefined) yield [parent + level, node.bytes];
    }
  }
}
