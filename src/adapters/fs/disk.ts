/** The disk. No other file of this adapter asks the platform for it, so a simulation can give its own, and let its machine lose power. */
import type { Dirent, Stats } from "node:fs";
import * as platform from "node:fs/promises";

/** As much of an open file as is used. */
export type DiskFile = Pick<platform.FileHandle, "read" | "write" | "sync" | "close"> & {
  stat(): Promise<Pick<Stats, "size" | "isFile">>;
};

/** As much of a disk as is used. */
export interface Disk {
  open(path: string, flags: string | number, mode?: number): Promise<DiskFile>;
  chmod(path: string, mode: number): Promise<void>;
  link(existing: string, path: string): Promise<void>;
  lstat(path: string): Promise<Pick<Stats, "isFile" | "isDirectory" | "mode" | "mtimeMs">>;
  mkdir(path: string, mode: number): Promise<unknown>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  realpath(path: string): Promise<string>;
  readdir(path: string, options: { withFileTypes: true }): Promise<DirectoryEntry[]>;
}

/** What a directory has under a name. */
export type DirectoryEntry = Pick<Dirent, "name" | "isFile" | "isDirectory">;

let current: Disk = platform;

/** For simulations alone: all stores of this process are on another disk, until the returned function is called. */
export function replaceDisk(other: Disk): () => void {
  current = other;
  return () => {
    current = platform;
  };
}

export const open: Disk["open"] = (path, flags, mode) => current.open(path, flags, mode);
export const chmod: Disk["chmod"] = (path, mode) => current.chmod(path, mode);
export const link: Disk["link"] = (existing, path) => current.link(existing, path);
export const lstat: Disk["lstat"] = (path) => current.lstat(path);
export const mkdir: Disk["mkdir"] = (path, mode) => current.mkdir(path, mode);
export const rename: Disk["rename"] = (from, to) => current.rename(from, to);
export const unlink: Disk["unlink"] = (path) => current.unlink(path);
export const rmdir: Disk["rmdir"] = (path) => current.rmdir(path);
export const realpath: Disk["realpath"] = (path) => current.realpath(path);
export const readdir: Disk["readdir"] = (path, options) => current.readdir(path, options);
