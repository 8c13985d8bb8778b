// What the parent and its worker processes tell each other.
import type { GetOptions, ImageManagerEvent, LeaseOptions } from "../../src/core/index.ts";
import type { FaultyOperation, StoreFault } from "../support/faulty-driver.ts";

/** An image as readers ask for it, and the file that holds what they must get. */
export interface SoakImage {
  readonly name: string;
  readonly deviceType: string;
  readonly version: string;
  readonly variant: Pick<GetOptions, "fileType" | "developmentMode">;
  readonly file: string;
  readonly sha256: string;
}

/** What a worker is started with. */
export interface WorkerTask {
  readonly seed: number;
  readonly slot: number;
  /** How often the slot's worker was started before. */
  readonly generation: number;
  readonly readers: number;
  readonly apiUrl: string;
  readonly base: string;
  readonly images: readonly SoakImage[];
  readonly lease: LeaseOptions;
}

/** A fault of the store to come; `late`: does what was asked after so many milliseconds. */
export interface StoreFaultOrder {
  readonly operation: FaultyOperation;
  readonly key?: string;
  readonly times: number;
  readonly does: Exclude<StoreFault["does"], Promise<unknown>> | { readonly lateMs: number };
}

/** From the parent. */
export type Command =
  | { readonly type: "store-fault"; readonly order: StoreFaultOrder }
  | { readonly type: "clean" }
  /** A store call somewhere hangs: for so long no get can be blamed for making no progress. */
  | { readonly type: "excuse"; readonly forMs: number }
  /** No store faults any more, no new gets; those under way go on without pauses. */
  | { readonly type: "calm" }
  /** Get every image whole. */
  | { readonly type: "check"; readonly cache: "default" | "reload" }
  | { readonly type: "stop" };

/** How a get ended. */
export interface GetResult {
  readonly outcome: "whole" | "range" | "left" | "error";
  readonly code?: string | undefined;
  readonly bytes: number;
}

/** From a worker. */
export type Report =
  | { readonly type: "get"; readonly result: GetResult }
  | { readonly type: "event"; readonly event: ImageManagerEvent["type"] }
  | { readonly type: "cleaned"; readonly error?: string | undefined; readonly tookMs: number }
  | { readonly type: "failure"; readonly what: string; readonly trace: string }
  | { readonly type: "idle" | "checked" };
