// Who shares a store: each runtime as something that can be asked for images over it.
import type { StoreReport, StoreTask } from "../entries/store.ts";
import type { StorePlace } from "../suites/store-at.ts";
import type { ImagesWorker } from "./images-worker.ts";
import { type ProcessRuntime, run } from "./processes.ts";

/** A runtime, over any store that it can reach. */
export interface Party {
  readonly name: string;
  reaches(place: StorePlace): boolean;
  /** Gets the images of the versions, one after the other; rejects with what the runtime said. */
  get(task: StoreTask): Promise<StoreReport[]>;
}

/** A runtime's process, anew for each task. */
export function processParty(runtime: ProcessRuntime, project: string): Party {
  return {
    name: runtime.name,
    reaches: () => true,
    async get(task) {
      const options = { cwd: project, env: { TEST_TASK: JSON.stringify(task) }, limitMs: 60_000 };
      const args = runtime.scriptArguments("store.mjs");
      const { exitCode, output } = await run(runtime.binary, args, options);
      if (exitCode !== 0) throw new Error(`exit code ${exitCode}:\n${output}`);
      const lines = output.split("\n").filter((line) => line.startsWith("{"));
      return lines.map((line) => JSON.parse(line) as StoreReport);
    },
  };
}

/** A Worker, which has neither a disk nor Redis, and no SDK. */
export function workerParty(worker: ImagesWorker): Party {
  return {
    name: "workerd",
    reaches: ({ kind }) => kind === "s3",
    async get({ place, versions, apiUrl, token, deviceType }) {
      if (place.kind !== "s3") throw new Error(`A Worker can't reach ${place.kind}`);
      const reports: StoreReport[] = [];
      for (const version of versions) {
        const question = { apiUrl, token, deviceType, version, s3: place.options };
        reports.push({ version, ...(await worker.get(question)) });
      }
      return reports;
    },
  };
}
