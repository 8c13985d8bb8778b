// The files and directories of a disk, and what is left of them when the machine loses power: what was not flushed is lost, torn or came in another order.
import type { Random } from "../soak/random.ts";

/** A file, with what a flush has made sure. */
export interface FileNode {
  bytes: Uint8Array;
  flushed: Uint8Array | undefined;
  mtimeMs: number;
}

/** A directory. */
export type DirectoryNode = Map<string, FileNode | DirectoryNode>;

/** A change of names. It is done as a whole or not at all. */
export type Change = (root: DirectoryNode) => void;

const blockBytes = 128;

/** As the file system fails. */
export const diskError = (code: string, path: string): Error =>
  Object.assign(new Error(`${code}: ${path}`), { code });

export class DiskTree {
  #root: DirectoryNode = new Map();
  /** What surely outlives a loss of power. */
  #sure: DirectoryNode = new Map();
  #unsure: Change[] = [];

  /** What has a path; `undefined` for nothing. */
  at(path: string): FileNode | DirectoryNode | undefined {
    return nodeAt(this.#root, path);
  }

  change(change: Change): void {
    change(this.#root);
    this.#unsure.push(change);
  }

  /** The system writes back, as it does from time to time: names at once, the bytes of some files. */
  writeBack(random: Random): void {
    for (const change of this.#unsure) tryChange(this.#sure, change);
    this.#unsure = [];
    for (const file of filesIn(this.#sure)) if (random.chance(0.7)) file.flushed = file.bytes.slice();
  }

  /** The machine loses power. Some disks keep the order of changes, others do not. */
  losePower(random: Random): void {
    const kept = random.int(0, this.#unsure.length);
    const isOrdered = random.chance(0.5);
    const isKept = (index: number) =>
      isOrdered ? index < kept : random.chance(kept / Math.max(1, this.#unsure.length));
    for (const [index, change] of this.#unsure.entries()) if (isKept(index)) tryChange(this.#sure, change);
    this.#unsure = [];
    for (const file of filesIn(this.#sure)) {
      file.bytes = leftOf(file, random);
      file.flushed = file.bytes.slice();
    }
    this.#root = copyOf(this.#sure);
  }
}

/** The directory that a path is in, and its last name. Throws `ENOENT` or `ENOTDIR`. */
export function placeOf(root: DirectoryNode, path: string): { directory: DirectoryNode; name: string } {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const directory = nodeAt(root, path.slice(0, path.lastIndexOf("/")));
  if (!directory) throw diskError("ENOENT", path);
  if (!(directory instanceof Map)) throw diskError("ENOTDIR", path);
  return { directory, name };
}

function nodeAt(root: DirectoryNode, path: string): FileNode | DirectoryNode | undefined {
  let node: FileNode | DirectoryNode | undefined = root;
  for (const name of path.split("/")) {
    if (name === "") continue;
    if (!(node instanceof Map)) return undefined;
    node = node.get(name);
  }
  return node;
}

/** One that needs another one which was lost is lost too. */
function tryChange(root: DirectoryNode, change: Change): void {
  try {
    change(root);
  } catch {}
}

function* filesIn(directory: DirectoryNode): Generator<FileNode> {
  for (const node of directory.values()) {
    if (node instanceof Map) yield* filesIn(node);
    else yield node;
  }
}

const copyOf = (directory: DirectoryNode): DirectoryNode =>
  new Map([...directory].map(([name, node]) => [name, node instanceof Map ? copyOf(node) : node]));

/** What flushed bytes are is sure. Of others all may be left, or nothing, the first ones, zeros, or all but a block. */
function leftOf({ bytes, flushed }: FileNode, random: Random): Uint8Array {
  if (flushed && Buffer.compare(flushed, bytes) === 0) return bytes;
  const left = bytes.slice();
  switch (random.int(0, 4)) {
    case 0:
      return left;
    case 1:
      return flushed ?? new Uint8Array(0);
    case 2:
      return left.slice(0, random.int(0, left.length));
    case 3:
      return left.fill(0);
    default: {
      const from = blockBytes * random.int(0, Math.floor(left.length / blockBytes));
      return left.fill(0, from, from + blockBytes);
    }
  }
}
