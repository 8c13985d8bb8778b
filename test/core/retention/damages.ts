// Ways in which a stored value goes bad, and a snapshot of a store that has a value of every kind: what a killed process left.
import type { Driver } from "unstorage";
import { expect } from "vitest";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import {
  type GetOptions,
  type ImageStream,
  isImageManagerError,
  type StoreDriver,
} from "../../../src/core/index.ts";
import type { BalenaApi } from "../../support/balena-api/index.ts";
import { eventually } from "../../support/eventually.ts";
import { slug, version } from "../../support/shared-api.ts";
import { chunkBytes } from "../../support/test-manager.ts";
import { keysOf, processOver, readSome } from "../sharing/support.ts";

/** Damages the value under a key; `false` where this store does not let it be done. */
export type Damage = (storage: Driver, key: string, neighbour: string | undefined) => Promise<boolean>;

const read = async (storage: Driver, key: string) => (await storage.getItemRaw?.(key, {})) as Uint8Array;
const put = async (storage: Driver, key: string, value: unknown) =>
  void (await storage.setItemRaw?.(key, value, {}));

const replacing =
  (spoil: (value: Uint8Array) => unknown): Damage =>
  async (storage, key) => {
    const value = await read(storage, key);
    return put(storage, key, spoil(Uint8Array.from(value))).then(
      () => true,
      () => false, // our adapters take nothing but bytes and texts
    );
  };

/** `place` from 0 (the first bit) to 1 (the last). */
const flipAt = (place: number): Damage =>
  replacing((value) => {
    const bit = Math.floor(place * (8 * value.length - 1));
    value[bit >> 3]! ^= 1 << (bit & 7);
    return value;
  });

/** Every kind of damage, by name. */
export const damages: Readonly<Record<string, Damage>> = {
  "first bit flipped": flipAt(0),
  "early bit flipped": flipAt(0.23),
  "middle bit flipped": flipAt(0.5),
  "late bit flipped": flipAt(0.81),
  "last bit flipped": flipAt(1),
  cut: replacing((value) => value.slice(0, value.length >> 1)),
  "one byte short": replacing((value) => value.slice(0, -1)),
  emptied: replacing(() => new Uint8Array(0)),
  deleted: async (storage, key) => {
    await storage.removeItem?.(key, {});
    return true;
  },
  swapped: async (storage, key, neighbour) => {
    if (neighbour === undefined) return false;
    const values = [await read(storage, key), await read(storage, neighbour)].map((v) => Uint8Array.from(v));
    await put(storage, key, values[1]);
    await put(storage, neighbour, values[0]);
    return true;
  },
  "replaced by a text": replacing(() => "no bytes"),
  "replaced by an Error": replacing(() => new Error("ENOTDIR: not a directory")),
};

/** The key of a chunk that nobody needs. */
export const orphan = `balena-images:v1:chunks:ab:${"ab".repeat(32)}`;

/** Two whole images, and two whose transfer never ended. */
export const wanted: readonly GetOptions[] = [
  {},
  { developmentMode: true },
  { fileType: ".img" },
  { fileType: ".img", developmentMode: true },
];

/** Keys and values of such a store. */
export type Snapshot = ReadonlyMap<string, Uint8Array>;

/** Makes one with a value of every kind: the transfers of the `.img` files stand still at 80 % while it is taken. */
export async function takeSnapshot(api: BalenaApi): Promise<Snapshot> {
  const storage = memoryAdapter();
  const { manager } = processOver(api, { storage, freshness: { maxAgeMs: Number.POSITIVE_INFINITY } });
  for (const options of wanted.slice(0, 2)) {
    await manager.prefetch(slug, version, options);
    await readSome(await manager.get(slug, version, options), 1); // notes a use
  }
  await manager.resolve("other-type");
  await put(storage, orphan, new Uint8Array(77));
  await manager.prune(); // sights the orphan
  api.faults.stall = { atPercent: 80 };
  for (const options of wanted.slice(2))
    await readSome(await manager.get(slug, version, options), 2 * chunkBytes);
  const segments = async () => (await keysOf(storage, /:partials:.*:[1-9]$/)).length;
  await eventually(async () => expect(await segments()).toBeGreaterThanOrEqual(2));
  const snapshot = await snapshotOf(storage);
  await manager.close();
  api.faults.reset();
  return snapshot;
}

/** Everything that a store holds. */
export async function snapshotOf(storage: StoreDriver): Promise<Snapshot> {
  const snapshot = new Map<string, Uint8Array>();
  for (const key of await keysOf(storage)) snapshot.set(key, await read(storage, key));
  return snapshot;
}

/** Puts a snapshot into an empty store. */
export async function load(storage: Driver, snapshot: Snapshot): Promise<void> {
  for (const [key, value] of snapshot) await put(storage, key, Uint8Array.from(value));
}

/** What a consumer got. `wrong`: a byte that is not the image's, or an end that is not its end. */
export type Delivery = "right" | "typed error" | "wrong";

/** Drains a stream and compares each piece, as it comes, with the true bytes. An error of no known type is thrown. `onError` is told of others. */
export async function delivered(
  getting: Promise<ImageStream>,
  truth: Uint8Array,
  onError: (failure: Error) => void = () => undefined,
): Promise<Delivery> {
  let position = 0;
  try {
    for await (const piece of await getting) {
      const end = position + piece.length;
      if (Buffer.compare(piece, truth.subarray(position, end)) !== 0) return "wrong";
      position = end;
    }
  } catch (failure) {
    if (!isImageManagerError(failure)) throw failure;
    onError(failure);
    return "typed error";
  }
  return position === truth.length ? "right" : "wrong";
}
