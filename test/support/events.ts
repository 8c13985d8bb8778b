// Records a manager's events.
import type { ImageManagerEvent } from "../../src/core/index.ts";

type EventType = ImageManagerEvent["type"];

/** What a manager told so far. */
export interface EventRecorder {
  readonly all: ImageManagerEvent[];
  /** To be given as `onEvent`. */
  onEvent(event: ImageManagerEvent): void;
  /** Types in the order of the events. */
  types(): EventType[];
  /** Events of a type. */
  of<T extends EventType>(type: T): Extract<ImageManagerEvent, { type: T }>[];
  clear(): void;
}

/** A recorder with nothing in it. */
export function recordEvents(): EventRecorder {
  const all: ImageManagerEvent[] = [];
  return {
    all,
    onEvent: (event) => void all.push(event),
    types: () => all.map(({ type }) => type),
    of: <T extends EventType>(wanted: T) =>
      all.filter((event): event is Extract<ImageManagerEvent, { type: T }> => event.type === wanted),
    clear: () => void all.splice(0),
  };
}
