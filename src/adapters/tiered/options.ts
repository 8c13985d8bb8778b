/** Checks the options of `tieredAdapter` and fills in the defaults. */
import { createDriverCalls } from "../../core/store/driver-calls.ts";
import type { KeyValueStore, StoreDriver } from "../../core/types.ts";
import { checkedInteger, checkedObject, requireOption } from "../store-values.ts";

/** Options of {@link tieredAdapter}. */
export interface TieredAdapterOptions {
  /** The store at this site, for example `fsAdapter({ base })`. Any adapter or unstorage driver. Give it a place of its own. */
  near: KeyValueStore | StoreDriver;
  /** The store that sites share, for example `s3Adapter({ ... })`. Any adapter or unstorage driver. */
  far: KeyValueStore | StoreDriver;
  /**
   * About how many bytes of chunks the near store keeps: a whole number from 0. The chunks that were not used for the longest time go first.
   * Default: no limit.
   */
  nearMaxBytes?: number | undefined;
  /** `true` if nothing may be written to the far store or deleted there. Default `false`. */
  farReadOnly?: boolean | undefined;
  /**
   * Milliseconds that the far store may take for a small value, or for progress with a chunk. After that it counts as away for a while. Keep it
   * below the manager's `storeTimeoutMs`. A whole number from 1. Default 2000.
   */
  farTimeoutMs?: number | undefined;
}

const defaultFarTimeoutMs = 2000;

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that names the option. */
export function checkedOptions(options: TieredAdapterOptions) {
  const {
    near,
    far,
    nearMaxBytes,
    farReadOnly = false,
    farTimeoutMs,
  } = checkedObject("tieredAdapter", options);
  requireOption(near !== far, '"near" and "far" must be two stores');
  requireOption(typeof farReadOnly === "boolean", '"farReadOnly" must be true or false');
  return {
    near: checkedStore(near, { name: "near" }),
    far: checkedStore(far, { name: "far", isReadOnly: farReadOnly }),
    nearMaxBytes:
      nearMaxBytes === undefined ? Number.POSITIVE_INFINITY : checkedInteger("nearMaxBytes", nearMaxBytes, 0),
    farReadOnly,
    farTimeoutMs:
      farTimeoutMs === undefined ? defaultFarTimeoutMs : checkedInteger("farTimeoutMs", farTimeoutMs, 1),
  };
}

function checkedStore(store: KeyValueStore, asked: { name: string; isReadOnly?: boolean }): Tier {
  const driver = store as Partial<StoreDriver>;
  return { ...createDriverCalls(store, undefined, asked), driver, capabilities: driver?.capabilities };
}

/** One of the two stores. */
export interface Tier extends ReturnType<typeof createDriverCalls> {
  readonly driver: Partial<StoreDriver>;
  readonly capabilities: StoreDriver["capabilities"] | undefined;
}
