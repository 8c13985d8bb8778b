// A process that is one side of the comparison: opened once, then told what to do, and what it cost is told back.
import { answerCalls } from "./calls.ts";
import { type Cost, measure } from "./measure.ts";
import * as others from "./subjects/others.ts";
import { oursInMemory, oursInRedis, oursInS3, oursOnFiles } from "./subjects/ours.ts";
import type { FileType, OpenSubject, Subject, SubjectSetting } from "./subjects/subject.ts";
import { version10 } from "./subjects/version-10.ts";

/** All sides, by the names that the tables give them. */
const subjects: Readonly<Record<string, OpenSubject>> = {
  "ours, fs": oursOnFiles,
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
const times = (count: number, task: () => Promise<void> | undefined) =>
  measure(() => Promise.all(Array.from({ length: count }, task)));

answerCalls(
  {
    async open({ name, setting }: { name: string; setting: SubjectSetting }): Promise<void> {
      const open = subjects[name];
      if (!open) throw new Error(`There is no side "${name}": ${Object.keys(subjects).join(", ")}`);
      subject = await open(setting);
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
    clear: () => subject.clear(),
  },
  async () => subject?.close?.(),
);
