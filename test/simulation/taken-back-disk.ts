// What the fs adapter does against faults of a disk, and how to take it out.
import type { TakenBack } from "./taken-back.ts";

const writeFile = "src/adapters/fs/write.ts";

export const takenBackDisk: readonly TakenBack[] = [
  {
    name: "a file is flushed before it gets its name",
    edits: [{ file: writeFile, find: "if (fsync) await handle.sync();", put: "" }],
  },
  {
    name: "one of several that create a file wins",
    edits: [{ file: writeFile, find: "await link(temporary, path);", put: "await rename(temporary, path);" }],
  },
  {
    name: "a failed look at the base is not remembered",
    edits: [
      {
        file: "src/adapters/fs/links.ts",
        find: "realBase = undefined; // the disk may answer the next time",
        put: "",
      },
    ],
  },
];
