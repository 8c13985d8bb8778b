/** Notes when an image was last used. It writes only now and then, so that not every hit costs a write. */

import { isTime } from "../checks.ts";
import { eachOf } from "../each.ts";
import type { ByteStore } from "./byte-store.ts";
import { decodeJson, encodeJson } from "./json.ts";
import { folders, useKey } from "./keys.ts";

const leastIntervalMs = 5 * 60 * 1000;

/** Notes uses; remembers what it wrote. */
export interface UseRecorder {
  /** Writes the use down, unless it did so for this image less than 5 minutes ago. */
  note(id: string): Promise<void>;
}

export function createUseRecorder(store: ByteStore, now: () => number): UseRecorder {
  const written = new Map<string, number>();
  return {
    async note(id) {
      const last = written.get(id);
      const usedAt = now();
      if (last !== undefined && usedAt >= last && usedAt - last < leastIntervalMs) return;
      written.set(id, usedAt);
      await store.write(useKey(id), encodeJson({ usedAt }));
    },
  };
}

/** When an image was used last; 0 if nobody has noted it. */
export async function readUse(store: ByteStore, id: string): Promise<number> {
  const { usedAt } = (decodeJson(await store.read(useKey(id))) ?? {}) as { usedAt?: unknown };
  return isTime(usedAt) ? usedAt : 0;
}

/** Last uses by image id. */
export async function readUses(
  store: ByteStore,
  passOver: <T>(read: () => Promise<T>) => Promise<T | undefined>,
): Promise<Map<string, number>> {
  const ids = (await store.list(folders.uses)).map((key) => key.slice(folders.uses.length));
  const uses = await eachOf(ids, async (id): Promise<[string, number]> => {
    return [id, (await passOver(() => readUse(store, id))) ?? 0];
  });
  return new Map(uses);
}
