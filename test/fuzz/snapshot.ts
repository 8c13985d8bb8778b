// A store that holds a value of every kind: two whole images, and two whose transfer never ended.
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import type { GetOptions, StoreDriver } from "../../src/core/index.ts";
import { alias, chunkBytes, slug, versions } from "./images.ts";
import { createManager } from "./managers.ts";
import { createUpstream } from "./upstream.ts";

/** Keys and values of a store. */
export type Snapshot = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

/** Images that the snapshot has whole, and such as stopped half-way. */
export const wholeImages: readonly GetOptions[] = [{}, { fileType: ".img" }];
export const halfImages: readonly GetOptions[] = [
  { developmentMode: true, fileType: ".img" },
  { developmentMode: true },
];

/** Makes it, by managers whose process then "dies". */
export async function takeSnapshot(): Promise<Snapshot> {
  const [storage, upstream] = [memoryAdapter(), createUpstream(false)];
  const manager = createManager({ storage, upstream, maxAgeMs: 1e9, isPatient: true });
  for (const options of wholeImages) {
    await manager.prefetch(slug, versions[0], options);
    await new Response(await manager.get(slug, versions[0], options)).bytes(); // notes a use
  }
  await manager.resolve(alias);
  await storage.setItemRaw?.(`balena-images:v1:chunks:ab:${"ab".repeat(32)}`, new Uint8Array(77), {});
  await manager.prune(); // sights the orphan
  upstream.mutations.push({
    says: "every body stops",
    strikes: ({ kind }) => kind === "download",
    change(answer) {
      answer.body = answer.body.subarray(0, chunkBytes + 600);
      answer.ending = "silent";
    },
  });
  const readers = halfImages.map(async (options) => {
    const reader = (await manager.get(slug, versions[0], options)).getReader();
    await reader.read();
  });
  await Promise.all(readers);
  await until(async () => {
    const count = async (kind: string) => (await storage.getKeys(`balena-images:v1:${kind}:`, {})).length;
    const [uses, partials] = await Promise.all([count("uses"), count("partials")]);
    return uses === wholeImages.length && partials === 2 * halfImages.length; // one for the start, one for the chunk
  });
  const snapshot = await contentOf(storage);
  await manager.close();
  return snapshot;
}

/** Puts a snapshot into a store. */
export async function load(storage: StoreDriver, snapshot: Snapshot): Promise<void> {
  for (const [key, value] of snapshot) await storage.setItemRaw?.(key, value, {});
}

async function contentOf(storage: StoreDriver): Promise<Snapshot> {
  const keys = (await storage.getKeys("", {})).sort();
  const entries = keys.map(
    async (key) => [key, (await storage.getItemRaw?.(key, {})) as Uint8Array<ArrayBuffer>] as const,
  );
  return new Map(await Promise.all(entries));
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5));
}
