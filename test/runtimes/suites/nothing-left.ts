// After every operation and `close()` nothing is left: no lease, no listener on the caller's signal, no connection, and, where the
// runtime can tell, no timer and no open file. That the process ends by itself is looked at from outside (`run/left.ts`).
import { balenaApiSource } from "../../../src/adapters/balena-api/index.ts";
import { createImageManager, type ImageManager } from "../../../src/core/index.ts";
import type { StoreDriver } from "../../../src/core/types.ts";
import { deepEqual } from "./assert.ts";
import type { RuntimeHost } from "./host.ts";
import { type NodeParts, nodeOperations, type Operation, operations } from "./operations.ts";
import { startRemoteApi } from "./remote-api.ts";
import { watchListeners } from "./watch-listeners.ts";

/** A runner, empty stores, and what the runtime has beyond the web platform. */
export interface LeftHost extends Pick<RuntimeHost, "test" | "skip" | "controlUrl" | "node" | "resources"> {
  create(): StoreDriver | Promise<StoreDriver>;
}

/** Registers one test for each operation. */
export function nothingLeftSuite(host: LeftHost): void {
  const { node } = host;
  for (const [name, operation] of Object.entries(allOperations(node)))
    if (typeof operation === "string") host.skip(name, operation);
    else host.test(name, () => leavesNothing(host, operation));
}

/** All operations, those of Node's among them; or in their place why they can't be had. */
export function allOperations(node: NodeParts | string): Record<string, Operation | string> {
  const ofNode = Object.entries(nodeOperations).map(([name, operation]) => {
    const bound: Operation | string = typeof node === "string" ? node : (bench) => operation(bench, node);
    return [name, bound] as const;
  });
  return { ...operations, ...Object.fromEntries(ofNode) };
}

/** Runs an operation, closes its managers, and looks. */
export async function leavesNothing(
  { controlUrl, create, resources = async () => ({}) }: Pick<LeftHost, "controlUrl" | "create" | "resources">,
  operation: Operation,
): Promise<void> {
  const [api, store] = [await startRemoteApi(controlUrl), await create()];
  const [managers, listeners]: [ImageManager[], (() => number)[]] = [[], []];
  const before = await resources();
  try {
    const manager = (options: object = {}) => {
      managers.push(createQuickManager(api.url, store, options));
      return managers.at(-1)!;
    };
    const watch = (signal: AbortSignal) => void listeners.push(watchListeners(signal));
    const abort = () => {
      const controller = new AbortController();
      watch(controller.signal);
      return { signal: controller.signal, abort: (reason: unknown) => controller.abort(reason) };
    };
    await operation({ api, store, manager, abort, watch });
    await Promise.all(managers.map((made) => made.close()));
    await settles(async () => ({
      leases: await store.getKeys("balena-images:v1:leases:", {}),
      listeners: listeners.reduce((sum, count) => sum + count(), 0),
      connections: (await api.counters()).openConnections,
      ...(await moreThan(before, resources)),
    }));
  } finally {
    await store.dispose?.();
    await api.close();
  }
}

function createQuickManager(apiUrl: string, storage: StoreDriver, options: object): ImageManager {
  return createImageManager({
    source: balenaApiSource({ apiUrl }),
    storage,
    chunkBytes: 256 * 1024,
    retry: { attempts: 3, minDelayMs: 1, maxDelayMs: 20, idleTimeoutMs: 5_000 },
    lease: { heartbeatMs: 50, ttlMs: 1_000, pollMs: 10 },
    ...options,
  });
}

/** How many more there are of each kind; one that is gone counts as none. */
async function moreThan(
  before: Readonly<Record<string, number>>,
  resources: NonNullable<LeftHost["resources"]>,
): Promise<Record<string, number>> {
  const now = Object.entries(await resources());
  return Object.fromEntries(now.map(([kind, count]) => [kind, Math.max(0, count - (before[kind] ?? 0))]));
}

/** What is closed may take a moment to be gone. */
async function settles(look: () => Promise<Record<string, unknown>>): Promise<void> {
  for (let left = 40; ; left--) {
    const found = await look();
    const rest = Object.fromEntries(Object.entries(found).filter(([, value]) => !isNothing(value)));
    if (Object.keys(rest).length === 0) return;
    if (left === 0) return deepEqual(rest, {}, "what is left");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const isNothing = (value: unknown) => value === 0 || (Array.isArray(value) && value.length === 0);
