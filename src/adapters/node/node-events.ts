/** Publishes a manager's events by Node's own means: a diagnostics channel, and the debug log. */
import { channel } from "node:diagnostics_channel";
import { debuglog, inspect } from "node:util";
import type { ImageManagerEvent } from "../../core/types.ts";

const name = "balena-image-manager";
const events = channel(name);
const log = debuglog(name);

/**
 * Publishes events, for the manager's `onEvent` option. Each event is a message on the channel `balena-image-manager` of
 * `node:diagnostics_channel`, so that monitoring can subscribe without access to the manager. With `NODE_DEBUG=balena-image-manager` in the
 * environment, each event is also a line on standard error. If nobody subscribed and nothing is logged, it costs nothing.
 *
 * Events contain no secrets. A subscriber that throws does not harm the manager: Node reports the error as an uncaught exception of its own.
 *
 * @example
 * ```ts
 * import { subscribe } from "node:diagnostics_channel";
 * import { createImageManager } from "balena-image-manager";
 * import { balenaApiSource } from "balena-image-manager/adapters/balena-api";
 * import { memoryAdapter } from "balena-image-manager/adapters/memory";
 * import { nodeEvents } from "balena-image-manager/node";
 *
 * subscribe("balena-image-manager", (event) => console.log(event));
 * const images = createImageManager({ source: balenaApiSource(), storage: memoryAdapter(), onEvent: nodeEvents });
 * await images.prefetch("raspberrypi4-64", "6.1.0");
 * ```
 */
export function nodeEvents(event: ImageManagerEvent): void {
  if (events.hasSubscribers) events.publish(event);
  if (log.enabled) log(lineOf(event));
}

/** `committed image=… size=…`: one line, of which the cause has only its code and message. */
function lineOf({ type, ...facts }: ImageManagerEvent): string {
  const words = Object.entries(facts).map(([fact, value]) => `${fact}=${wordOf(value)}`);
  return [type, ...words].join(" ");
}

function wordOf(value: unknown): string {
  if (typeof value === "string" && /^[\w.~:+-]+$/.test(value)) return value;
  if (!(value instanceof Error)) return inspect(value, { breakLength: Number.POSITIVE_INFINITY });
  const { code } = value as { code?: unknown };
  return JSON.stringify(typeof code === "string" ? `${code}: ${value.message}` : value.message);
}
