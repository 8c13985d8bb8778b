/**
 * Keeps all access below the base. A link to a directory leads outside, and nothing may be read, written or deleted there. The base itself
 * may be a link, because the user has named it.
 */
import { join, relative } from "node:path";
import { realpath } from "./disk.ts";
import { failureWith, valueOn } from "./failure.ts";

/** Rejects with `ELOOP` if a path below the base is a link, or leads through one. A path that is missing is no link. */
export type AssertNoLink = (path: string) => Promise<void>;

/** Makes an {@link AssertNoLink}. Asks the file system each time, for one call: links may come and go. */
export function createLinkGuard(base: string): AssertNoLink {
  let realBase: Promise<string | undefined> | undefined;

  async function isPlain(path: string): Promise<boolean> {
    const way = relative(base, path);
    if (way.startsWith("..")) return true; // above the base
    realBase ??= realPathOf(base).catch((failure) => {
      realBase = undefined; // the disk may answer the next time
      throw failure;
    });
    const [found, start] = await Promise.all([realPathOf(path), realBase]);
    return found === undefined || (start !== undefined && found === join(start, way));
  }

  return async (path) => {
    if (await isPlain(path)) return;
    realBase = undefined; // it may have been made only now, or be a link that leads to another place by now
    if (await isPlain(path)) return;
    throw failureWith("ELOOP", `a link is not followed: ${path}`);
  };
}

function realPathOf(path: string): Promise<string | undefined> {
  return realpath(path).catch(valueOn(undefined, "ENOENT"));
}
