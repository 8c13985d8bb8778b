/** Reads the manifest of an image as this process has left it. */
import type { ManagerContext } from "../context.ts";
import { type Manifest, readManifest } from "../store/manifest.ts";

/** A note that the copy is still right may be under way: it is waited for, so that the upstream is not asked twice. */
export async function storedManifest(
  { store, confirming }: ManagerContext,
  id: string,
): Promise<Manifest | undefined> {
  await confirming.get(id);
  return readManifest(store, id);
}
