/** Store contract: which keys there are, and that none is taken for another. */
import { createStorage } from "unstorage";
import {
  type Case,
  describe,
  eachOf,
  filled,
  filterAsync,
  incompleteListing,
  listed,
  patternOf,
  refuses,
  sameList,
  textOf,
} from "./store-contract-support.ts";

const hash = "0123456789abcdef".repeat(4);
const id = `raspberrypi4-64~6.0.10-rev1~${hash.slice(0, 32)}`;
const designKeys = [
  `images:${id}`,
  `chunks:01:${hash}`,
  `leases:${id}:1`,
  `leases:${id}:12`,
  `partials:${id}:1:0`,
  `uses:${id}`,
  `catalog:${hash}:raspberrypi4-64`,
  `images:${"d".repeat(64)}~${"9".repeat(60)}~${hash.slice(0, 32)}`,
].map((key) => `balena-images:v1:${key}`);

// Keys that some store takes for another one: folded, decoded, cut, normalised or resolved.
const oddKeys =
  "o:a o:A o:%41 o:%2541 o:a. o:a%20 o:.. o:. o:.a o:a+b o:a%20b o:a&b o:a$ o:a#b o:con o:a~1 o:\u00e4 o:a\u0308 o:*"
    .split(" ")
    .concat(
      "o:a b",
      "o:a ",
      "o:a;b",
      "o:a=b",
      "o:a'b",
      'o:a"b',
      "o:<a>",
      "o:a,b",
      "o:a\u0001b",
      "o:日本",
      "o:🎉",
    );

// `p`, `p2` and the case variants are strangers to whoever lists `p:`.
const familyKeys = ["p", "p2", "p2:a", "P:a", "p:a", "p:A", "p:a:b", "p:ab", "q:p:a", "pp:a"];

/** Keys are kept apart and listed, called directly or through unstorage. */
export const keyCases: Case[] = [
  {
    name: "remove deletes one key and no other",
    async run(store, { equal }) {
      for (const key of familyKeys) await store.setItemRaw(key, filled(1, 1), {});
      await store.removeItem("p", {});
      await store.removeItem("p:a", {});
      equal(await store.getItemRaw("p:a", {}), null, "the value");
      const left = await filterAsync(familyKeys, async (key) => store.hasItem(key, {}));
      equal(
        left,
        familyKeys.filter((key) => key !== "p" && key !== "p:a"),
        "the keys left",
      );
    },
  },
  {
    name: "lists every key under a prefix, and no other",
    skip: incompleteListing,
    async run(store, { equal }) {
      equal(await store.getKeys("p:", {}), [], "an empty store");
      for (const key of familyKeys) await store.setItemRaw(key, filled(1, 1), {});
      equal(await listed(store, ""), [...familyKeys].sort(), "all");
      equal(await listed(store, "p:"), ["p:A", "p:a", "p:a:b", "p:ab"], "p:");
      equal(await listed(store, "p:a:"), ["p:a:b"], "p:a:");
      equal(await listed(store, "p:b:"), [], "p:b:");
    },
  },
  {
    name: "lists 1,100 keys",
    skip: incompleteListing,
    async run(store, { equal }) {
      const keys = Array.from({ length: 1100 }, (_, index) => `many:${index % 16}:${index}`).sort();
      await eachOf(keys, (key) => store.setItemRaw(key, filled(1, 1), {}));
      equal(sameList(await listed(store, "many:"), keys), true, "the same 1,100 keys");
    },
  },
  {
    name: "removeItems deletes the keys given and no other, also missing ones and more than a thousand",
    skip: (store) => (store.removeItems === undefined ? "has no removeItems, which is optional" : undefined),
    async run(store, { equal }) {
      for (const key of familyKeys) await store.setItemRaw(key, filled(1, 1), {});
      equal(await store.removeItems?.([]), [], "of none");
      equal(await store.removeItems?.(["p:a", "p:no", "no", "p:b"]), [], "what it failed at");
      const left = await filterAsync(familyKeys, async (key) => store.hasItem(key, {}));
      equal(
        left,
        familyKeys.filter((key) => key !== "p:a" && key !== "p:b"),
        "the keys left",
      );
      const many = Array.from({ length: 1100 }, (_, index) => `many:${index % 16}:${index}`);
      await eachOf(many.slice(1000), (key) => store.setItemRaw(key, filled(1, 1), {}));
      equal(await store.removeItems?.(many), [], "what it failed at of many");
      equal(
        await filterAsync(many.slice(1000), async (key) => store.hasItem(key, {})),
        [],
        "what is left of many",
      );
    },
  },
  {
    name: "clear deletes what is under the level given, and no other key",
    skip: (store) =>
      store.clear === undefined ? "has no clear, which is optional" : incompleteListing(store),
    async run(store, { equal }) {
      for (const key of familyKeys) await store.setItemRaw(key, filled(1, 1), {});
      await store.clear?.("p", {});
      equal(
        await listed(store, ""),
        familyKeys.filter((key) => !key.startsWith("p:")).sort(),
        "the keys left",
      );
    },
  },
  {
    name: "takes every shape of key that the library uses",
    async run(store, { equal }) {
      await eachOf(designKeys, (key) => store.setItemRaw(key, filled(designKeys.indexOf(key) + 1, 5), {}));
      const sizes = await Promise.all(
        designKeys.map(async (key) => describe(await store.getItemRaw(key, {}))),
      );
      equal(
        sizes,
        designKeys.map((_, index) => `${index + 1} x 5`),
        "each key's own value",
      );
      if (store.capabilities.completeListing)
        equal(await listed(store, ""), [...designKeys].sort(), "the keys");
    },
  },
  {
    name: "keeps odd keys apart, or refuses them",
    async run(store, { equal }) {
      const write = (key: string) => store.setItemRaw(key, new TextEncoder().encode(key), {});
      const taken = await filterAsync(oddKeys, async (key) => !(await refuses(() => write(key))));
      const values = await Promise.all(taken.map(async (key) => textOf(await store.getItemRaw(key, {}))));
      equal(values, taken, "each key's own value");
      if (store.capabilities.completeListing) equal(await listed(store, "o:"), [...taken].sort(), "the keys");
    },
  },
  {
    name: "works as the driver of an unstorage storage",
    async run(store, { equal }) {
      const storage = createStorage({ driver: store });
      await storage.setItemRaw("s:raw", patternOf(1000));
      await storage.setItem("s:json", { text: "äöü", list: [1] });
      equal(describe(await storage.getItemRaw("s:raw")), describe(patternOf(1000)), "the raw value");
      equal(JSON.stringify(await storage.getItem("s:json")), '{"text":"äöü","list":[1]}', "the JSON value");
      equal([await storage.hasItem("s:raw"), await storage.hasItem("s:no")], [true, false], "hasItem");
      if (store.capabilities.completeListing) {
        equal((await storage.getKeys("s")).sort(), ["s:json", "s:raw"], "keys under s");
        equal((await storage.getKeys()).sort(), ["s:json", "s:raw"], "all keys");
      }
      await storage.removeItem("s:raw");
      equal(await storage.getItemRaw("s:raw"), null, "after removeItem");
    },
  },
];
