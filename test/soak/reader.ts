// One get from its call to the commit, every byte compared with what the upstream has.
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type ImageManager, isImageManagerError } from "../../src/core/index.ts";
import type { ReaderPlan } from "./plan.ts";
import type { GetResult } from "./protocol.ts";

/** What a get is doing now, for whoever looks for one that hangs. */
export interface ReaderState {
  readonly plan: ReaderPlan;
  doing: "pause" | "get" | "read" | "cancel" | "committed";
  position: number;
  /** Seconds without progress, counted from outside. */
  quietSeconds: number;
}

/** What a get needs. */
export interface ReaderWorld {
  readonly manager: ImageManager;
  readonly reference: Buffer;
  /** Aborted when pauses are to end. */
  readonly calm: AbortSignal;
  onFailure(what: string): void;
}

/** Makes the get and says how it ended. Never rejects. */
export async function runReader(state: ReaderState, world: ReaderWorld): Promise<GetResult> {
  const { leave } = state.plan;
  const leaving = new AbortController();
  const timer = leave?.how === "signal" ? setTimeout(() => leaving.abort(), leave.afterMs) : undefined;
  try {
    return await getAndCompare(state, world, leaving.signal);
  } catch (error) {
    return judgeError(error, state, world, leaving.signal);
  } finally {
    clearTimeout(timer);
  }
}

async function getAndCompare(
  state: ReaderState,
  world: ReaderWorld,
  signal: AbortSignal,
): Promise<GetResult> {
  const { image, cache, range, leave, spoils } = state.plan;
  const start = range?.start ?? 0;
  state.position = start;
  state.doing = "get";
  const stream = await world.manager.get(image.deviceType, image.version, {
    ...image.variant,
    ...{ cache, range, signal },
  });
  const reader = stream.getReader();
  const hash = createHash("sha256");
  for (;;) {
    await pause(state, world);
    if (leave?.how === "cancel" && state.position - start >= leave.atByte) {
      state.doing = "cancel";
      await reader.cancel();
      return { outcome: "left", bytes: state.position - start };
    }
    state.doing = "read";
    const { done, value } = await reader.read();
    state.quietSeconds = 0;
    if (done) break;
    compare(value, state, world);
    state.position += value.length;
    if (!range) hash.update(value);
    spoil(value, spoils);
  }
  compareEnd(state, world, hash.digest("hex"));
  state.doing = "committed";
  const info = await stream.committed();
  if (info && info.size !== world.reference.length)
    world.onFailure(`committed() tells of ${info.size} bytes`);
  return { outcome: range ? "range" : "whole", bytes: state.position - start };
}

async function pause(state: ReaderState, { calm }: ReaderWorld): Promise<void> {
  const { pauseMs, stall, range } = state.plan;
  const isStalling =
    stall !== undefined && state.position - (range?.start ?? 0) >= stall.atByte && !stalled.has(state);
  if (isStalling) stalled.add(state);
  const forMs = pauseMs + (isStalling ? stall.forMs : 0);
  if (forMs === 0 || calm.aborted) return;
  state.doing = "pause";
  await sleep(forMs, undefined, { signal: calm }).catch(() => undefined);
}

const stalled = new WeakSet<ReaderState>();

function compare(
  piece: Uint8Array,
  { position, plan }: ReaderState,
  { reference, onFailure }: ReaderWorld,
): void {
  const end = Math.min(plan.range?.end ?? reference.length, reference.length);
  if (position + piece.length > end) onFailure(`bytes beyond the end: ${position + piece.length} of ${end}`);
  if (Buffer.compare(piece, reference.subarray(position, position + piece.length)) !== 0)
    onFailure(`wrong bytes in ${position} to ${position + piece.length}`);
}

function compareEnd(
  { position, plan }: ReaderState,
  { reference, onFailure }: ReaderWorld,
  sha256: string,
): void {
  const end = Math.min(plan.range?.end ?? reference.length, reference.length);
  if (position !== end) onFailure(`ended as if whole at ${position} of ${end}`);
  if (!plan.range && sha256 !== plan.image.sha256) onFailure(`SHA-256 ${sha256} for ${plan.image.sha256}`);
}

/** The whole buffer is the consumer's, so nothing that it does with it may matter. */
function spoil({ buffer }: Uint8Array<ArrayBuffer>, how: ReaderPlan["spoils"]): void {
  if (how === "overwrite") new Uint8Array(buffer).fill(0xa5);
  else if (how === "transfer") structuredClone(buffer, { transfer: [buffer] });
}

/** The upstream is broken on purpose, its bytes never change, and a store's fault must fail no get. */
const tolerated = ["UPSTREAM", "TRUNCATED_DOWNLOAD", "INTEGRITY"];

function judgeError(
  error: unknown,
  state: ReaderState,
  { onFailure }: ReaderWorld,
  signal: AbortSignal,
): GetResult {
  const bytes = state.position - (state.plan.range?.start ?? 0);
  if (signal.aborted && error === signal.reason) return { outcome: "left", bytes };
  const code = isImageManagerError(error) ? error.code : undefined;
  const isNotCached = code === "NOT_CACHED" && state.plan.cache === "only-if-cached";
  if (!isNotCached && !tolerated.includes(code ?? "")) onFailure(`a get failed with ${describe(error)}`);
  return { outcome: "error", code: code ?? String(error), bytes };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\n  because of ${describe(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
