// One disk for all processes of a machine, with as much of `node:fs/promises` as the fs adapter uses. Each call takes effect at one moment, some time after it is made.

import type { Disk, DiskFile } from "../../src/adapters/fs/disk.ts";
import type { Random } from "../soak/random.ts";
import { type DirectoryNode, DiskTree, diskError, type FileNode, placeOf } from "./disk-tree.ts";
import { type Operation, operationOf } from "./operation.ts";
import type { Profile } from "./profile.ts";
import type { SimulatedProcess, World } from "./world.ts";

/** Sees what becomes of the names of files. */
export interface DiskWatch {
  /** A file gets a name, in place of another one or not. */
  placed(caller: Caller, path: string, bytes: Uint8Array, before: Uint8Array | undefined): void;
  removed(caller: Caller, path: string): void;
  opened(caller: Caller, path: string): void;
}

/** Who has made a call. */
export interface Caller {
  readonly process: SimulatedProcess;
  readonly operation: Operation | undefined;
}

/** The calls of an adapter are many for one of a store, so each fails less often. */
const callsPerValue = 4;

export class SimulatedDisk implements Disk {
  readonly tree = new DiskTree();
  profile: Profile["store"];
  /** Until then no call is answered. */
  downUntilMs = 0;
  readonly #world: World;
  readonly #random: Random;
  readonly #watch: DiskWatch;
  /** Of the machine: a call that was under way as it lost power never takes effect. */
  #boots = 0;

  constructor(world: World, profile: Profile["store"], watch: DiskWatch) {
    this.#world = world;
    this.#random = world.random("disk");
    this.profile = profile;
    this.#watch = watch;
  }

  losePower(): void {
    this.#boots += 1;
    this.tree.losePower(this.#random);
  }

  open(path: string, flags: string | number): Promise<DiskFile> {
    return this.#call(`open ${path}`, (caller) => {
      if (flags === "wx") return this.#fileOf(this.#created(path));
      const node = this.#node(path);
      this.#watch.opened(caller, path);
      return this.#fileOf(node instanceof Map ? undefined : node);
    });
  }

  chmod(path: string): Promise<void> {
    return this.#call(`chmod ${path}`, () => void this.#node(path));
  }

  link(existing: string, path: string): Promise<void> {
    return this.#call(`link ${path}`, (caller) => {
      if (this.profile.lacksLeases) throw diskError("EPERM", path);
      const file = this.#node(existing) as FileNode;
      this.tree.change((root) => {
        const { directory, name } = placeOf(root, path);
        if (directory.has(name)) throw diskError("EEXIST", path);
        directory.set(name, file);
      });
      this.#watch.placed(caller, path, file.bytes, undefined);
    });
  }

  lstat(path: string) {
    return this.#call(`lstat ${path}`, () => {
      const node = this.#node(path);
      const isDirectory = node instanceof Map;
      const mtimeMs = isDirectory ? 0 : node.mtimeMs;
      return { mode: 0o600, mtimeMs, isFile: () => !isDirectory, isDirectory: () => isDirectory };
    });
  }

  mkdir(path: string): Promise<void> {
    return this.#call(`mkdir ${path}`, () =>
      this.tree.change((root) => {
        const { directory, name } = placeOf(root, path);
        if (directory.has(name)) throw diskError("EEXIST", path);
        directory.set(name, new Map());
      }),
    );
  }

  rename(from: string, to: string): Promise<void> {
    return this.#call(`rename to ${to}`, (caller) => {
      const file = this.#node(from) as FileNode;
      const before = this.tree.at(to);
      this.tree.change((root) => {
        const [old, place] = [placeOf(root, from), placeOf(root, to)];
        if (old.directory.get(old.name) !== file) throw diskError("ENOENT", from);
        place.directory.set(place.name, file);
        old.directory.delete(old.name);
      });
      this.#watch.placed(caller, to, file.bytes, before instanceof Map ? undefined : before?.bytes);
    });
  }

  unlink(path: string): Promise<void> {
    return this.#call(`unlink ${path}`, (caller) => {
      this.#node(path);
      this.tree.change((root) => {
        const { directory, name } = placeOf(root, path);
        if (!directory.has(name)) throw diskError("ENOENT", path);
        directory.delete(name);
      });
      this.#watch.removed(caller, path);
    });
  }

  rmdir(path: string): Promise<void> {
    return this.#call(`rmdir ${path}`, () =>
      this.tree.change((root) => {
        const { directory, name } = placeOf(root, path);
        const node = directory.get(name);
        if (!(node instanceof Map)) throw diskError(node ? "ENOTDIR" : "ENOENT", path);
        if (node.size > 0) throw diskError("ENOTEMPTY", path);
        directory.delete(name);
      }),
    );
  }

  realpath(path: string): Promise<string> {
    return this.#call(`realpath ${path}`, () => {
      this.#node(path);
      return path;
    });
  }

  readdir(path: string) {
    return this.#call(`readdir ${path}`, () => {
      const node = this.#node(path);
      if (!(node instanceof Map)) throw diskError("ENOTDIR", path);
      return [...node].map(([name, inner]) => ({
        name,
        isFile: () => !(inner instanceof Map),
        isDirectory: () => inner instanceof Map,
      }));
    });
  }

  #node(path: string): FileNode | DirectoryNode {
    const node = this.tree.at(path);
    if (!node) throw diskError("ENOENT", path);
    return node;
  }

  #created(path: string): FileNode {
    const file: FileNode = { bytes: new Uint8Array(0), flushed: undefined, mtimeMs: this.#world.wallMs };
    this.tree.change((root) => {
      const { directory, name } = placeOf(root, path);
      if (directory.has(name)) throw diskError("EEXIST", path);
      directory.set(name, file);
    });
    return file;
  }

  /** `undefined`: a directory. */
  #fileOf(file: FileNode | undefined): DiskFile {
    const read = (buffer: Uint8Array, offset: number, length: number, position: number) =>
      this.#call("read", () => {
        const bytes = file!.bytes.subarray(position, position + length);
        buffer.set(bytes, offset);
        return { bytesRead: bytes.length, buffer };
      });
    const write = (buffer: Uint8Array, offset: number, length: number, position: number) =>
      this.#call("write", () => {
        const isFull = this.#random.chance(this.profile.tears);
        const written = isFull ? this.#random.int(0, length - 1) : length;
        const bytes = new Uint8Array(Math.max(file!.bytes.length, position + written));
        bytes.set(file!.bytes);
        bytes.set(buffer.subarray(offset, offset + written), position);
        file!.bytes = bytes;
        if (isFull) throw diskError("ENOSPC", "write");
        return { bytesWritten: written, buffer };
      });
    const sync = () =>
      this.#call("sync", () => {
        file!.flushed = file!.bytes.slice();
      });
    const size = () => file?.bytes.length ?? 0;
    const stat = () => this.#call("stat", () => ({ size: size(), isFile: () => file !== undefined }));
    return { read, write, sync, stat, close: async () => {} } as unknown as DiskFile;
  }

  #call<T>(what: string, effect: (caller: Caller) => T): Promise<T> {
    const process = this.#world.current!;
    const caller = { process, operation: operationOf() };
    const boot = this.#boots;
    return new Promise<T>((resolve, reject) => {
      const answer = (run: () => void) => {
        if (process.state === "paused") return void this.#world.after(0, process, run);
        if (process.state === "killed") return;
        this.#world.current = process;
        run();
      };
      this.#world.after(this.#delayMs(), undefined, () => {
        const isLost = process.state === "killed" && this.#random.chance(0.5);
        if (boot !== this.#boots || isLost) return;
        if (this.#random.chance(0.01)) this.tree.writeBack(this.#random);
        try {
          if (this.#chance(this.profile.fails)) throw diskError("EIO", what);
          const result = effect(caller);
          if (this.#chance(this.profile.losesAnswer)) throw diskError("EIO", what);
          answer(() => resolve(result));
        } catch (failure) {
          answer(() => reject(failure));
        }
      });
    });
  }

  #chance(ofValue: number): boolean {
    return ofValue > 0 && this.#random.chance(ofValue / callsPerValue);
  }

  /** One that hangs is answered at last: nothing else is known of a disk. */
  #delayMs(): number {
    const { latencyMs, isSlow, hangs } = this.profile;
    const awayMs = Math.max(0, this.downUntilMs - this.#world.nowMs);
    if (this.#chance(hangs)) return this.#random.next() * 60_000;
    const most = this.#chance(isSlow) ? 3_000 : latencyMs / callsPerValue;
    return awayMs + this.#random.next() * most;
  }
}
