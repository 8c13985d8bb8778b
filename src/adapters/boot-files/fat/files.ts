/** Reads and writes whole files of a FAT volume. */
import { EditError } from "../../../core/errors.ts";
import { clusterStart, Directory, dotEntries, type Entry } from "./directory.ts";
import { FileTable } from "./table.ts";
import type { Volume } from "./volume.ts";

export class FatFiles {
  readonly #volume: Volume;
  readonly #table: FileTable;

  private constructor(volume: Volume, table: FileTable) {
    this.#volume = volume;
    this.#table = table;
  }

  static async open(volume: Volume): Promise<FatFiles> {
    return new FatFiles(volume, await FileTable.open(volume));
  }

  /** The content of a file; `undefined` if there is none. At most `maxBytes` are read. */
  async read(path: readonly string[], maxBytes: number): Promise<Uint8Array | undefined> {
    const entry = await this.#lookUp(path);
    if (!entry || entry.isDirectory) return undefined;
    if (entry.size > maxBytes)
      throw new EditError("damaged", `${path.join("/")} has ${entry.size} bytes, more than ${maxBytes}`);
    const content = new Uint8Array(entry.size);
    const { image, clusterBytes } = this.#volume;
    const chain = this.#table.chain(entry.firstCluster);
    if (chain.length * clusterBytes < entry.size)
      throw new EditError("damaged", `${path.join("/")} has fewer clusters than its length needs`);
    for (let at = 0, index = 0; at < entry.size; at += clusterBytes, index++) {
      const start = clusterStart(this.#volume, chain[index]!);
      content.set(await image.read(start, start + Math.min(clusterBytes, entry.size - at)), at);
    }
    return content;
  }

  /** Writes a file, in place of one that is there, with the directories that lead to it. */
  async write(path: readonly string[], content: Uint8Array): Promise<void> {
    const directory = await this.#enter(path.slice(0, -1));
    const name = path.at(-1)!;
    const entry = (await directory.find(name)) ?? (await directory.add(name, false));
    if (entry.isDirectory)
      throw new EditError("damaged", `${path.join("/")} is a directory in the boot partition`);
    const { image, clusterBytes } = this.#volume;
    const chain = await this.#table.resize(
      this.#table.chain(entry.firstCluster),
      Math.ceil(content.length / clusterBytes),
    );
    for (const [index, cluster] of chain.entries()) {
      const part = content.subarray(index * clusterBytes, (index + 1) * clusterBytes);
      await image.write(clusterStart(this.#volume, cluster), part);
    }
    await directory.update(entry, chain[0] ?? 0, content.length);
    await this.#table.noteFree();
  }

  async #lookUp(path: readonly string[]): Promise<Entry | undefined> {
    let directory = this.#root();
    for (const [index, name] of path.entries()) {
      const entry = await directory.find(name);
      if (!entry || index === path.length - 1) return entry;
      if (!entry.isDirectory) return undefined;
      directory = this.#directory(entry.firstCluster);
    }
    return undefined;
  }

  /** The directory at a path, made if it is missing. */
  async #enter(path: readonly string[]): Promise<Directory> {
    let directory = this.#root();
    for (const name of path) {
      const entry = await directory.find(name);
      if (entry && !entry.isDirectory)
        throw new EditError("damaged", `${path.join("/")} is not a directory in the boot partition`);
      directory = entry ? this.#directory(entry.firstCluster) : await this.#make(directory, name);
    }
    return directory;
  }

  async #make(parent: Directory, name: string): Promise<Directory> {
    const entry = await parent.add(name, true);
    const [cluster] = (await this.#table.resize([], 1)) as readonly [number];
    const content = new Uint8Array(this.#volume.clusterBytes);
    content.set(dotEntries(cluster, parent.firstCluster));
    await this.#volume.image.write(clusterStart(this.#volume, cluster), content);
    await parent.update(entry, cluster, 0);
    await this.#table.noteFree();
    return this.#directory(cluster);
  }

  #root(): Directory {
    return this.#directory(0);
  }

  #directory(firstCluster: number): Directory {
    return new Directory(this.#volume, this.#table, firstCluster);
  }
}
