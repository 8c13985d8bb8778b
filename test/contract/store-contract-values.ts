/** Store contract: what becomes of a value. */
import { type Case, describe, filled, patternOf, refuses } from "./store-contract-support.ts";

/** Values come back whole and as they were, also when many write at once. */
export const valueCases: Case[] = [
  ...[0, 1, 64 * 1024, 4 * 1024 * 1024].map(
    (size): Case => ({
      name: `a value of ${size} bytes comes back as it was`,
      skip: ({ capabilities: { maxValueBytes = size } }) =>
        size > maxValueBytes ? `takes ${maxValueBytes} bytes at most` : undefined,
      async run(store, { equal }) {
        const bytes = patternOf(size);
        await store.setItemRaw("round:trip", bytes, {});
        equal(describe(await store.getItemRaw("round:trip", {})), describe(bytes), "the value");
      },
    }),
  ),
  {
    name: "values are own buffers, going in and coming out",
    async run(store, { equal }) {
      // A view into a larger buffer, as a slice of a download is.
      const mine = new Uint8Array(new ArrayBuffer(300), 100, 100).fill(7);
      await store.setItemRaw("own", mine, {});
      mine.fill(8);
      const first = await store.getItemRaw("own", {});
      if (!(first instanceof Uint8Array)) throw new Error("a value must come back as a Uint8Array");
      equal(describe(first), "100 x 7", "after the writer reused its buffer");
      equal([first.byteOffset, first.buffer.byteLength], [0, 100], "offset and size of the buffer behind it");
      first.fill(9);
      equal(describe(await store.getItemRaw("own", {})), "100 x 7", "after a reader reused its buffer");
    },
  },
  {
    name: "a write replaces a longer and a shorter value",
    async run(store, { equal }) {
      for (const [size, byte] of [
        [10, 1],
        [1000, 2],
        [3, 3],
      ] as const) {
        await store.setItemRaw("again", filled(size, byte), {});
        equal(describe(await store.getItemRaw("again", {})), `${size} x ${byte}`, "the last value");
      }
    },
  },
  {
    name: "a missing key is null, has nothing, and can be removed",
    async run(store, { equal }) {
      equal(await store.getItemRaw("no:such", {}), null, "getItemRaw");
      equal(await store.getItem("no:such"), null, "getItem");
      equal(await store.hasItem("no:such", {}), false, "hasItem");
      await store.removeItem("no:such", {});
      await store.removeItem("no", {});
    },
  },
  {
    name: "racing writes of one key end whole, and no reader sees less than a whole value",
    async run(store, { equal }) {
      // Writer 3 writes 3 times 50,000 bytes of 3: a mixture or a cut shows.
      const whole = Array.from({ length: 8 }, (_, index) => `${(index + 1) * 50_000} x ${index + 1}`);
      const seen = new Set<string>();
      const write = (byte: number) => store.setItemRaw("race", filled(byte * 50_000, byte), {});
      const read = async () => seen.add(describe(await store.getItemRaw("race", {})));
      await write(1);
      let isWriting = true;
      const readers = [1, 2, 3].map(async () => {
        while (isWriting) await read();
      });
      const writers = whole.map(async (_, index) => {
        for (let round = 0; round < 5; round++) await write(index + 1);
      });
      const written = Promise.all(writers).finally(() => {
        isWriting = false;
      });
      await Promise.all([written, ...readers]);
      await read();
      equal(
        [...seen].filter((value) => !whole.includes(value)),
        [],
        "values that nobody wrote",
      );
    },
  },
  {
    name: "createIfAbsent has exactly one winner, and never replaces",
    skip: (store) =>
      store.createIfAbsent === undefined ? "has no createIfAbsent, which is optional" : undefined,
    async run(store, { equal }) {
      const create = async (byte: number) => store.createIfAbsent?.("lease:1", filled(byte, byte));
      const results = await Promise.all(Array.from({ length: 16 }, (_, index) => create(index + 1)));
      const value = await store.getItemRaw("lease:1", {});
      // A server may turn out not to support it; then it must not write.
      if (results.includes("unsupported"))
        return equal([new Set(results).size, value], [1, null], "nothing written");
      equal([...results].sort(), ["created", ...Array(15).fill("exists")], "what the 16 were told");
      const winner = results.indexOf("created") + 1;
      equal(describe(value), `${winner} x ${winner}`, "the winner's value");
      equal(await create(99), "exists", "a late one");
      await store.removeItem("lease:1", {});
      equal(await create(20), "created", "after it was removed");
    },
  },
  {
    name: "with maxBytes, a value of that size comes back whole, and a larger one as null",
    async run(store, { equal }) {
      for (const size of [1, 1000, 200_000]) {
        await store.setItemRaw("bounded", patternOf(size), {});
        const read = async (maxBytes: number) => describe(await store.getItemRaw("bounded", { maxBytes }));
        equal(await read(size), describe(patternOf(size)), "as large as the bound");
        equal(await read(size + 1), describe(patternOf(size)), "below the bound");
        if (size > 1) equal(await read(size - 1), describe(null), "one byte above the bound");
      }
      equal(await store.getItemRaw("no:such", { maxBytes: 10 }), null, "a missing one");
    },
  },
  {
    name: "takes a value of maxValueBytes, and never cuts a larger one",
    skip: ({ capabilities: { maxValueBytes } }) => {
      if (maxValueBytes === undefined) return "claims no limit";
      return maxValueBytes > 64 * 1024 * 1024 ? "its limit is beyond what a test should write" : undefined;
    },
    async run(store, { equal }) {
      const size = store.capabilities.maxValueBytes ?? 0;
      await store.setItemRaw("max", patternOf(size), {});
      equal(describe(await store.getItemRaw("max", {})), describe(patternOf(size)), "the largest value");
      const larger = patternOf(size + 1);
      if (await refuses(() => store.setItemRaw("more", larger, {}))) return;
      equal(
        describe(await store.getItemRaw("more", {})),
        describe(larger),
        "a larger one that was not refused",
      );
    },
  },
];
