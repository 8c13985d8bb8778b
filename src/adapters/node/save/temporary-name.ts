/** Names of temporary files next to a target. A name says which image the file contains and which process writes it. */

import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { randomName } from "../../../core/clock.ts";
import { type nobody, thisOwner } from "./owner.ts";
import type { Target } from "./target.ts";

/** What a name says. */
export interface TemporaryName {
  readonly name: string;
  /** Stands for the image; two files with the same one hold the same image, as far as they go. */
  readonly content: string;
  readonly owner: string;
}

// An image without an ETag is like no other.
const unnamed = "new";
const rest = /^\.([0-9a-f]{32}|new)\.(free|[0-9a-f]{8}-\d+)\.[0-9a-f-]{36}\.part$/;

/** Stands for an image in names. */
export function contentOf(etag: string | undefined): string {
  return etag === undefined ? unnamed : shortHash(etag, 32);
}

/** A path that nobody else has: of this process, or of nobody. */
export async function temporaryPath(target: Target, content: string, owner?: typeof nobody): Promise<string> {
  const name = `${prefixOf(target)}.${content}.${owner ?? (await thisOwner())}.${randomName()}.part`;
  return join(target.directory, name);
}

/** Reads a name; `undefined` if it does not belong to this target. */
export function parseTemporaryName(target: Target, name: string): TemporaryName | undefined {
  const prefix = prefixOf(target);
  if (!name.startsWith(prefix)) return undefined;
  const [, content, owner] = rest.exec(name.slice(prefix.length)) ?? [];
  return content === undefined || owner === undefined ? undefined : { name, content, owner };
}

/** Short enough for any disk, even if the target's name is long; the hash tells long names apart. */
function prefixOf({ path }: Target): string {
  const name = basename(path);
  return `.${name.slice(0, 30)}.${shortHash(name, 8)}`;
}

function shortHash(text: string, digits: number): string {
  return createHash("sha256").update(text).digest("hex").slice(0, digits);
}
