// Which call of a manager does what a store is asked for: `prune`, `cleanCache` and so on, with all that they set off.
import { AsyncLocalStorage } from "node:async_hooks";

/** A call. */
export interface Operation {
  readonly name: string;
  readonly startedMs: number;
}

const operations = new AsyncLocalStorage<Operation>();

/** The call that is under way, if one is known: timers have none. */
export const operationOf = (): Operation | undefined => operations.getStore();

/** Runs a call. */
export const inOperation = <T>(operation: Operation, run: () => T): T => operations.run(operation, run);
