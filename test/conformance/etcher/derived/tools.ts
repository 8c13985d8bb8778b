// Other people's programs that make and judge images: Debian's dosfstools, mtools and sfdisk.
import { spawnSync } from "node:child_process";
import type { Requirement } from "../../../../scripts/services/install.ts";

/** All that is started here. */
export const imageTools: readonly Requirement[] = [
  { program: "mkfs.fat", packages: ["dosfstools"] },
  { program: "fsck.vfat", packages: ["dosfstools"] },
  { program: "mcopy", packages: ["mtools"] },
  { program: "sfdisk", packages: ["fdisk"] },
];

/** Runs a program; what it prints. */
export function run(program: string, args: readonly string[], input?: string): Buffer {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    ...(input !== undefined && { input }),
    maxBuffer: 512 * 1024 * 1024,
    // mtools would otherwise ask, and be stricter about geometry than any system is.
    env: { ...process.env, MTOOLS_SKIP_CHECK: "1", PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
  });
  if (error) throw error;
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(" ")} exited with ${status}: ${String(stderr).slice(-500)}`);
}

/** A file system in an image, as mtools name it. */
export interface Place {
  readonly file: string;
  /** Bytes from the start of the file. */
  readonly start: number;
}

const at = ({ file, start }: Place) => `${file}@@${start}`;

/** All files in it, and their contents. */
export function filesIn(place: Place): Map<string, Buffer> {
  const names = run("mdir", ["-/", "-b", "-i", at(place), "::"])
    .toString()
    .split("\n");
  const files = names.filter((name) => name !== "" && !name.endsWith("/"));
  return new Map(files.map((name) => [name.slice(2), run("mtype", ["-i", at(place), name])]));
}

/** Its directories but the root. */
export function directoriesIn(place: Place): string[] {
  const names = run("mdir", ["-/", "-b", "-i", at(place), "::"])
    .toString()
    .split("\n");
  return names.filter((name) => name.endsWith("/")).map((name) => name.slice(2, -1));
}

/** The clusters of a file or directory. */
export function clustersOf(place: Place, path: string): number[] {
  const text = run("mshowfat", ["-i", at(place), `::${path}`]).toString();
  return [...text.matchAll(/<(\d+)(?:-(\d+))?>/g)].flatMap(([, first, last = first]) =>
    Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => Number(first) + index),
  );
}
