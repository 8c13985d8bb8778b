// A process with a share of the readers: gets images over the common store until it is told to stop, or killed.
import { readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { balenaSdkSource } from "../../src/adapters/balena-sdk/index.ts";
import { fsAdapter } from "../../src/adapters/fs/index.ts";
import { nodeInflate } from "../../src/adapters/node/inflate.ts";
import { createImageManager, type ImageManagerEvent } from "../../src/core/index.ts";
import { faultyDriver } from "../support/faulty-driver.ts";
import { drawPlan, type ReaderPlan } from "./plan.ts";
import type { Command, Report, SoakImage, StoreFaultOrder, WorkerTask } from "./protocol.ts";
import { createRandom } from "./random.ts";
import { type ReaderState, runReader } from "./reader.ts";

const task = JSON.parse(process.argv[2] ?? "") as WorkerTask;
const { seed, slot, generation } = task;
const hangAfterSeconds = 60;
const traceLines = 60;

setPriority(5); // others work on this machine
const tell = (report: Report) => void process.send?.(report, undefined, undefined, () => undefined);
const trace: string[] = [];
const calming = new AbortController();
const states = new Set<ReaderState>();
let excusedSeconds = 0;

const references = new Map<string, Buffer>();
const referenceOf = ({ file }: SoakImage) => {
  const reference = references.get(file) ?? readFileSync(file);
  references.set(file, reference);
  return reference;
};

const driver = faultyDriver(fsAdapter({ base: task.base }));
const manager = createImageManager({
  source: balenaSdkSource({ apiUrl: task.apiUrl, configure: "upstream" }),
  storage: driver,
  chunkBytes: 256 * 1024,
  memoryBytes: 8 * 1024 * 1024,
  lease: task.lease,
  retry: { attempts: 4, minDelayMs: 20, maxDelayMs: 500, idleTimeoutMs: 1500 },
  freshness: { maxAgeMs: slot % 2 === 0 ? 0 : 1000 },
  ...(slot % 2 === 1 && { inflate: nodeInflate }),
  onEvent,
});

for (const name of ["unhandledRejection", "uncaughtException"] as const)
  process.on(name, (error: unknown) =>
    fail(`${name}: ${(error as Error)?.stack ?? String(error)}`, "process"),
  );
process.on("message", (command: Command) => void obey(command));
process.once("disconnect", () => process.exit(1)); // the parent is gone
const watch = setInterval(lookForHangs, 1000);
const readers = Array.from({ length: task.readers }, (_, index) => readOnAndOn(index));
void Promise.all(readers).then(() => tell({ type: "idle" }));

async function readOnAndOn(index: number): Promise<void> {
  const random = createRandom(seed, `worker ${slot}.${generation} reader ${index}`);
  for (let step = 0; !calming.signal.aborted; step++) {
    const plan = drawPlan(random, task.images, (image) => referenceOf(image).length);
    await sleep(plan.startAfterMs, undefined, { signal: calming.signal }).catch(() => undefined);
    if (calming.signal.aborted) return;
    tell({ type: "get", result: await makeGet(plan, `reader ${index} step ${step}`) });
  }
}

async function makeGet(plan: ReaderPlan, who: string) {
  const state: ReaderState = { plan, doing: "get", position: 0, quietSeconds: 0 };
  states.add(state);
  const result = await runReader(state, {
    manager,
    reference: referenceOf(plan.image),
    calm: calming.signal,
    onFailure: (what) =>
      fail(what, `${who}, at ${state.position}: ${JSON.stringify({ ...plan, image: plan.image.name })}`),
  });
  states.delete(state);
  note(`${who} ${plan.image.name}: ${result.outcome} ${result.code ?? ""}`);
  return result;
}

function onEvent(event: ImageManagerEvent): void {
  tell({ type: "event", event: event.type });
  const { cause, ...facts } = { cause: undefined, ...event };
  note(`${JSON.stringify(facts)} ${cause instanceof Error ? cause.message : ""}`);
}

function note(line: string): void {
  trace.push(`${new Date().toISOString().slice(14, 23)} ${line}`);
  trace.splice(0, trace.length - traceLines);
}

function fail(what: string, who: string): void {
  tell({ type: "failure", what: `worker ${slot}.${generation} ${who}\n  ${what}`, trace: trace.join("\n") });
}

function lookForHangs(): void {
  driver.calls.length = 0;
  excusedSeconds = Math.max(0, excusedSeconds - 1);
  for (const state of states) {
    if (excusedSeconds > 0 || (state.doing === "pause" && !calming.signal.aborted)) state.quietSeconds = 0;
    else state.quietSeconds += 1;
    if (state.quietSeconds !== hangAfterSeconds) continue;
    const { plan, doing, position } = state;
    fail(`hangs in ${doing} at ${position}`, JSON.stringify({ ...plan, image: plan.image.name }));
  }
}

async function obey(command: Command): Promise<void> {
  if (command.type === "store-fault") addStoreFault(command.order);
  else if (command.type === "excuse") excusedSeconds = Math.max(excusedSeconds, command.forMs / 1000);
  else if (command.type === "clean") await clean();
  else if (command.type === "calm") calm();
  else if (command.type === "check") await check(command.cache);
  else await stop();
}

function addStoreFault({ operation, key, times, does }: StoreFaultOrder): void {
  note(`store fault ${operation} ${key ?? ""} ${JSON.stringify(does)} x${times}`);
  driver.faults.push({
    ...{ operation, times },
    ...(key !== undefined && { key: new RegExp(key) }),
    does: typeof does === "string" ? does : sleep(does.lateMs),
  });
}

async function clean(): Promise<void> {
  const startMs = performance.now();
  note("cleanCache");
  const error = await manager.cleanCache().then(() => undefined, String);
  tell({ type: "cleaned", error, tookMs: performance.now() - startMs });
}

function calm(): void {
  driver.faults.length = 0;
  calming.abort();
}

/** The images one after the other, as a reader would have them who wants nothing special. */
async function check(cache: "default" | "reload"): Promise<void> {
  const plain = {
    range: undefined,
    startAfterMs: 0,
    pauseMs: 0,
    stall: undefined,
    leave: undefined,
  } as const;
  for (const image of task.images) {
    const result = await makeGet({ ...plain, image, cache, spoils: "nothing" }, "final check");
    if (result.outcome !== "whole") fail(`${image.name} could not be got: ${result.code}`, "final check");
  }
  tell({ type: "checked" });
}

async function stop(): Promise<void> {
  let isClosed = false;
  const tellWhatHolds = () =>
    console.error(
      `worker ${slot}.${generation} is still here, manager ${isClosed ? "closed" : "not closed"}: ${process.getActiveResourcesInfo()}\n${trace.join("\n")}`,
    );
  setTimeout(tellWhatHolds, 5000).unref();
  clearInterval(watch);
  await manager.close();
  isClosed = true;
  process.removeAllListeners("disconnect");
  process.disconnect(); // nothing else may keep the process alive
}
