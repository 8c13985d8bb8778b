// The API waits by the clock of the core: then a pause of it and a time limit of a manager in the same process are measured alike.
import { sleep } from "../../../src/core/waiting.ts";

export async function pause(ms: number): Promise<void> {
  if (ms > 0) await sleep(ms);
}
