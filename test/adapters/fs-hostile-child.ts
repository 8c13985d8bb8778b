// What an fs store makes of a directory that strangers have been at, as lines of JSON. Runs on Node, Bun and Deno.
import process from "node:process";
import { fsAdapter } from "../../src/adapters/fs/index.ts";

const [base = "", ...keys] = process.argv.slice(2);
const store = fsAdapter({ base });
const outcome = async (call: () => unknown) => {
  try {
    const value = await call();
    return value instanceof Uint8Array ? `${value.length} bytes` : (value ?? null);
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
};

for (const key of keys) {
  const bytes = new Uint8Array(3);
  const line = {
    key,
    has: await outcome(() => store.hasItem(key, {})),
    bounded: await outcome(() => store.getItemRaw?.(key, { maxBytes: 4 * 1024 * 1024 })),
    unbounded: await outcome(() => store.getItemRaw?.(key, {})),
    remove: key.startsWith("out:") && (await outcome(() => store.removeItem?.(key, {}))),
    write: key.startsWith("out:") && (await outcome(() => store.setItemRaw?.(key, bytes, {}))),
    create: key.startsWith("out:") && (await outcome(() => store.createIfAbsent?.(key, bytes))),
  };
  console.log(JSON.stringify(line));
}
console.log(JSON.stringify([...(await store.getKeys("", {}))].sort()));
console.log(JSON.stringify([...(await store.getKeys("out:", {}))].sort()));
await store.clear?.("out", {});
await store.dispose?.();
const { maxRSS } = process.resourceUsage?.() ?? { maxRSS: 0 };
console.log(JSON.stringify(maxRSS));
