// What a runtime's entry brings to the suites, and how they register with it.
import type { StoreDriver } from "../../../src/core/types.ts";
import type { NodeParts } from "./operations.ts";

/** A runtime's test runner and what the runtime has. */
export interface RuntimeHost {
  test(name: string, run: () => Promise<void>): void;
  skip(name: string, reason: string): void;
  /** Where the loopback APIs are asked for. */
  readonly controlUrl: string;
  /** Makes an empty store, by its name; or says why the runtime can't have it. */
  readonly stores: Readonly<Record<string, (() => StoreDriver | Promise<StoreDriver>) | string>>;
  /** The SDK's source, or why there is none. */
  readonly sdkSource: SourceFactory | string;
  /** What is for Node and its like alone, or why there is none. */
  readonly node: NodeParts | string;
  /** What holds the process now, by kind and number, where the runtime can tell. */
  resources?(): Promise<Record<string, number>>;
}

/** Makes a source over a loopback API. */
export type SourceFactory = (options: {
  apiUrl: string;
  token?: string;
}) => import("../../../src/core/types.ts").ImageSource;

/** Between a suite's name and a test's. */
export const separator = " :: ";

/** The host's runner, with names that begin with the suite's. */
export function within(host: RuntimeHost, suite: string): Pick<RuntimeHost, "test" | "skip"> {
  return {
    test: (name, run) => host.test(`${suite}${separator}${name}`, run),
    skip: (name, reason) => host.skip(`${suite}${separator}${name} (${reason})`, reason),
  };
}
