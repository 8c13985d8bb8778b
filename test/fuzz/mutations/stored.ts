// Stored values go bad: each kind of value by bytes, by another value in its place, and where it is JSON by hostile members that
// check out, because their checksum is made for them.
import type { StoreDriver } from "../../../src/core/index.ts";
import { decodeSealed, encodeSealed } from "../../../src/core/store/json.ts";
import type { Random } from "../../soak/random.ts";
import type { Snapshot } from "../snapshot.ts";
import { damaged } from "./bytes.ts";
import { damagedJson } from "./json.ts";

/** A change of the store before the round begins. */
export interface StoredMutation {
  readonly says: string;
  apply(store: StoreDriver): Promise<void>;
}

type Bytes = Uint8Array<ArrayBuffer>;
const prefix = "balena-images:";
const kinds = ["images", "chunks", "leases", "partials", "uses", "catalog", "orphans"] as const;

/** Draws one for a store that holds a snapshot. */
export async function drawStoredMutation(random: Random, snapshot: Snapshot): Promise<StoredMutation> {
  if (random.chance(0.08)) return strangeKey(random, snapshot);
  const kind = random.pick(kinds);
  const keys = [...snapshot.keys()].filter((key) => key.startsWith(`${prefix}v1:${kind}`));
  if (keys.length === 0) return drawStoredMutation(random, snapshot);
  const key = random.pick(keys);
  const value = snapshot.get(key)!;
  const way = random.weighted<(typeof waysToSpoil)[number][1]>(waysToSpoil);
  const { says, bytes } = await way(random, key, value, snapshot);
  return { says: `${shortKey(key)}: ${says}`, apply: (store) => put(store, key, bytes) };
}

type Spoil = (
  random: Random,
  key: string,
  value: Bytes,
  snapshot: Snapshot,
) => Promise<{ says: string; bytes: Bytes | undefined }> | { says: string; bytes: Bytes | undefined };

const replaced: Spoil = (random, _key, _value, snapshot) => {
  const other = random.pick([...snapshot.keys()]);
  return { says: `the value of ${shortKey(other)} lies there`, bytes: snapshot.get(other)! };
};

/** What names the content stays: who may forge that and its checksum may as well write another image. */
const forged: Spoil = async (random, key, value) => {
  if (key.includes(":chunks:")) return damaged(random, value);
  const relativeKey = key.slice(prefix.length);
  const sealed = await decodeSealed(relativeKey, value);
  const untouched = [
    "chunks",
    "size",
    "chunkBytes",
    "digest",
    "digests",
    "from",
    "isInflated",
    "provenParts",
  ];
  const mayTouch = (path: readonly string[]) => !path.some((name) => untouched.includes(name));
  const document = sealed ?? JSON.parse(new TextDecoder().decode(value));
  const { says, text } = damagedJson(random, document, mayTouch);
  if (sealed === undefined) return { says, bytes: new TextEncoder().encode(text) };
  const forgery = await encodeSealed(relativeKey, parsed(text) as object).catch(() => undefined);
  if (forgery === undefined) return { says, bytes: new TextEncoder().encode(text) };
  return { says: `${says}, with a fitting seal`, bytes: forgery };
};

const hostile: Spoil = (random, key, value) => {
  if (key.includes(":chunks:")) return damaged(random, value);
  const { says, text } = damagedJson(random, parsed(new TextDecoder().decode(value)));
  return { says, bytes: new TextEncoder().encode(text) };
};

const waysToSpoil: readonly (readonly [number, Spoil])[] = [
  [4, (random, _key, value) => damaged(random, value)],
  [4, forged],
  [2, hostile],
  [2, replaced],
  [1, () => ({ says: "it is missing", bytes: undefined })],
];

const strangeKeys: readonly ((random: Random) => string)[] = [
  () => "v1:images:x",
  () => "v1:images:a~b~c",
  () => "v1:chunks:zz:no-digest",
  () => `v1:chunks:ab:${"ab".repeat(31)}`,
  (random) => `v1:leases:x:${random.pick(["0", "-1", "1e9", "x", "9007199254740993"])}`,
  (random) =>
    `v1:partials:x:${random.pick(["1", "1:x", "1:1:1", "-1:0", "1:wire", "1:wire:0", "1:wire:0:0", "1:wire:x:-1"])}`,
  () => "v1:catalog:x",
  () => "v1:uses:",
  () => "v1:nothing-known",
  () => "v2:images:x",
];

function strangeKey(random: Random, snapshot: Snapshot): StoredMutation {
  const key = prefix + random.pick(strangeKeys)(random);
  const bytes = snapshot.get(random.pick([...snapshot.keys()]))!;
  return { says: `${shortKey(key)}: there is such a key`, apply: (store) => put(store, key, bytes) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function put(store: StoreDriver, key: string, bytes: Bytes | undefined): Promise<void> {
  if (bytes === undefined) await store.removeItem?.(key, {});
  else await store.setItemRaw?.(key, bytes, {});
}

const shortKey = (key: string) =>
  key.slice(prefix.length).replace(/[0-9a-f]{24,}/g, (hex) => `${hex.slice(0, 8)}…`);
