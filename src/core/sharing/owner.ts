/** Names of lease owners. By its name a process recognizes its own leftovers, such as a lease that it could not delete. */

const separator = "~";
// Made when first needed: workerd has no random numbers while a module loads.
let processName: string | undefined;
const live = new Set<string>();

/** A name that nobody else has. It counts as alive until it is retired. */
export function newOwner(): string {
  processName ??= crypto.randomUUID();
  const owner = `${processName}${separator}${crypto.randomUUID()}`;
  live.add(owner);
  return owner;
}

/** Its transfer is over, even if the store still says otherwise. */
export function retireOwner(owner: string): void {
  live.delete(owner);
}

/** Whether it was one of this process, and is over: nobody needs to watch it to know. */
export function isRetired(owner: string): boolean {
  return processName !== undefined && owner.startsWith(processName + separator) && !live.has(owner);
}
