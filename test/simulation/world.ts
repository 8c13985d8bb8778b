// Virtual time in one thread. One event runs at a time, and all that it sets off runs before the next one: the same seed gives the same run.
import type { Clock, Timer } from "../../src/core/clock.ts";
import { createRandom, type Random } from "../soak/random.ts";

/** A process: what runs in it stands still while it is paused, and never runs again once it is killed. */
export interface SimulatedProcess {
  readonly name: string;
  state: "running" | "paused" | "killed";
  /** How wrong its wall clock is. */
  skewMs: number;
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly process: SimulatedProcess | undefined;
  isStopped: boolean;
  run(): void;
}

interface Note {
  readonly atMs: number;
  readonly who: string;
  readonly what: string;
}

const epochMs = Date.UTC(2026, 0, 1);

/** Time, chance, processes, and what happened. */
export class World {
  readonly seed: number;
  readonly violations: string[] = [];
  /** Events that have run. */
  decisions = 0;
  nowMs = 0;
  current: SimulatedProcess | undefined;
  readonly #events: Event[] = [];
  readonly #held = new Map<SimulatedProcess, Event[]>();
  readonly #draw: number;
  readonly #chance: Random;
  readonly #notes: Note[] = [];
  #order = 0;
  #names = 0;

  /** `draw`: the same seed, drawn another time. */
  constructor(seed: number, draw = 0) {
    this.seed = seed;
    this.#draw = draw;
    this.#chance = this.random("core");
  }

  get wallMs(): number {
    return epochMs + Math.floor(this.nowMs);
  }

  /** What happened, a line each. */
  get trace(): string[] {
    return this.#notes.map(
      ({ atMs, who, what }) => `${(atMs / 1000).toFixed(3).padStart(9)} ${who.padEnd(4)} ${what}`,
    );
  }

  random(name: string): Random {
    return createRandom(this.seed, this.#draw === 0 ? name : `${name}#${this.#draw}`);
  }

  note(what: string): void {
    this.#notes.push({ atMs: this.nowMs, who: this.current?.name ?? "-", what });
  }

  violate(what: string): void {
    this.violations.push(what);
    this.note(`VIOLATION: ${what}`);
  }

  /** Runs something later: in a process, or outside of all. */
  after(delayMs: number, process: SimulatedProcess | undefined, run: () => void): Event {
    const event = {
      atMs: this.nowMs + Math.max(0, delayMs),
      order: this.#order++,
      process,
      isStopped: false,
      run,
    };
    push(this.#events, event);
    return event;
  }

  /** Waits within the process that calls. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, this.current, resolve));
  }

  resume(process: SimulatedProcess): void {
    if (process.state === "paused") process.state = "running";
    for (const event of this.#held.get(process) ?? []) {
      // It may be stopped before its turn comes.
      this.after(0, process, () => {
        if (!event.isStopped) event.run();
      });
    }
    this.#held.delete(process);
  }

  /** Runs events until the condition holds (`true`), or the time is over or nothing is left (`false`). */
  async runUntil(isDone: () => boolean, limitMs: number): Promise<boolean> {
    const endMs = this.nowMs + limitMs;
    for (;;) {
      await settled();
      if (isDone()) return true;
      const event = this.#events[0];
      if (!event || event.atMs > endMs) {
        this.nowMs = endMs;
        return false;
      }
      pop(this.#events);
      this.#run(event);
    }
  }

  #run(event: Event): void {
    this.nowMs = Math.max(this.nowMs, event.atMs);
    const { process } = event;
    if (event.isStopped || process?.state === "killed") return;
    if (process?.state === "paused") {
      this.#held.set(process, [...(this.#held.get(process) ?? []), event]);
      return;
    }
    this.decisions += 1;
    this.current = process;
    event.run();
  }

  /** What the core takes for the platform. */
  clock(): Clock {
    const later = (run: () => void, delayMs: number, isAgain: boolean): Timer => {
      const process = this.current;
      // A timer is never early, and always a little late.
      const arm = () => this.after(delayMs + this.#chance.next() * 2, process, fire);
      const timer = { event: undefined as Event | undefined };
      const fire = () => {
        if (isAgain) timer.event = arm();
        run();
      };
      timer.event = arm();
      return timer as never;
    };
    return {
      wallMs: () => this.wallMs + (this.current?.skewMs ?? 0),
      monotonicMs: () => this.nowMs,
      startTimer: (run, delayMs) => later(run, delayMs, false),
      startInterval: (run, everyMs) => later(run, everyMs, true),
      stopTimer: (timer) => {
        const { event } = (timer ?? {}) as { event?: Event };
        if (event) event.isStopped = true;
      },
      random: () => this.#chance.next(),
      randomBytes: (length) => Uint8Array.from({ length }, () => this.#chance.int(0, 255)),
      // Another one from its first digits on, as a random UUID is.
      randomName: () => `${String(this.#names++).padStart(8, "0")}-0000-4000-8000-000000000000`,
      processName: () => this.current?.name ?? "outside",
    };
  }
}

/** All that an event has set off has run: promises before the next task. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

const isBefore = (a: Event, b: Event) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

function push(heap: Event[], event: Event): void {
  let at = heap.push(event) - 1;
  while (at > 0) {
    const above = (at - 1) >> 1;
    if (!isBefore(heap[at]!, heap[above]!)) return;
    [heap[at], heap[above]] = [heap[above]!, heap[at]!];
    at = above;
  }
}

function pop(heap: Event[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  heap[0] = last;
  for (let at = 0; ; ) {
    let least = at;
    for (const below of [2 * at + 1, 2 * at + 2])
      if (below < heap.length && isBefore(heap[below]!, heap[least]!)) least = below;
    if (least === at) return;
    [heap[at], heap[least]] = [heap[least]!, heap[at]!];
    at = least;
  }
}
