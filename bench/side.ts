// A process that is one side of the comparison: opened once, then told what to do, and what it cost is told back. It deletes its own
// directory, for it outlives who started it, if only for a moment.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { answerCalls } from "./calls.ts";
import { type Cost, measure } from "./measure.ts";
import type { SideSetting } from "./sides.ts";
import { oursConfigured } from "./subjects/configured.ts";
import * as others from "./subjects/others.ts";
import {
  oursInMemory,
  oursInRedis,
  oursInS3,
  oursOnFiles,
  oursOnFilesFreed,
  oursOnFilesWithSha256,
} from "./subjects/ours.ts";
import type { ConfiguredKind, FileType, OpenSubject, Subject } from "./subjects/subject.ts";
import { version10 } from "./subjects/version-10.ts";

/** All sides, by the names that the tables give them. */
const subjects: Readonly<Record<string, OpenSubject>> = {
  "ours, fs": oursOnFiles,
  "ours, fs, pieces freed": oursOnFilesFreed,
  "ours, fs, sha256": oursOnFilesWithSha256,
  "ours, fs, configured": oursConfigured,
  "ours, memory": oursInMemory,
  "ours, Redis": oursInRedis,
  "ours, S3": oursInS3,
  "version 10": version10,
  cacache: others.cacache,
  "huggingface/hub": others.huggingFaceHub,
  "unstorage fs": others.unstorageFiles,
  "fetch to file": others.fetchToFile,
  "fetch to file, hashed": others.fetchToFileHashed,
  "fetch to nothing": others.fetchToNothing,
  cp: others.copyOfFile,
};

/** A first get, by so many at once. */
export interface FirstGet {
  readonly fileType: FileType;
  readonly developmentMode?: boolean;
  readonly readers?: number;
}

/** A repeated get, by so many at once. */
export interface RepeatedGet {
  /** As the first get had it. */
  readonly fileType: FileType;
  readonly readers?: number;
}

let subject: Subject;
let ownBase: string | undefined;
const times = (count: number, task: () => Promise<void> | undefined) =>
  measure(() => Promise.all(Array.from({ length: count }, task)));

answerCalls(
  {
    /** Returns the directory where it works. */
    async open({ name, setting }: { name: string; setting: SideSetting }): Promise<string> {
      const open = subjects[name];
      if (!open) throw new Error(`There is no side "${name}": ${Object.keys(subjects).join(", ")}`);
      if (setting.base === undefined) ownBase = await mkdtemp(join(tmpdir(), "bench-"));
      const base = setting.base ?? ownBase!;
      subject = await open({ ...setting, base });
      return base;
    },
    first: ({ fileType, developmentMode, readers = 1 }: FirstGet): Promise<Cost> =>
      times(readers, () =>
        subject.first(fileType, developmentMode === undefined ? undefined : { developmentMode }),
      ),
    repeated: ({ fileType, readers = 1 }: RepeatedGet): Promise<Cost> =>
      times(readers, () => subject.repeated?.(fileType)),
    ranges: (places: readonly { start: number; bytes: number }[]): Promise<Cost> =>
      measure(async () => {
        for (const { start, bytes } of places) await subject.range?.(start, bytes);
      }),
    configured: (kind: ConfiguredKind): Promise<Cost> => times(1, () => subject.configured?.(kind)),
    clear: () => subject.clear(),
  },
  async () => {
    await subject?.close?.();
    // Another side may work there, and leave a moment later.
    if (ownBase !== undefined) await rm(ownBase, { recursive: true, force: true, maxRetries: 5 });
  },
);
