/** Names of lease owners. By its name a process recognizes its own leftovers, such as a lease that it could not delete. */
import { processName, randomName } from "../clock.ts";

const separator = "~";
const live = new Set<string>();

/** A name that nobody else has. It counts as alive until it is retired. */
export function newOwner(): string {
  const owner = `${processName()}${separator}${randomName()}`;
  live.add(owner);
  return owner;
}

/** Its transfer is over, even if the store still says otherwise. */
export function retireOwner(owner: string): void {
  live.delete(owner);
}

/** Whether it was one of this process, and is over: nobody needs to watch it to know. */
export function isRetired(owner: string): boolean {
  return owner.startsWith(processName() + separator) && !live.has(owner);
}
