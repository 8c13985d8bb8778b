// Metrics of all image managers of a process with OpenTelemetry. Run your program with `node --import ./opentelemetry.ts app.ts`, after an SDK was
// set up, and pass `onEvent: nodeEvents` to each manager. It needs @opentelemetry/api.
import { subscribe } from "node:diagnostics_channel";
import { metrics } from "@opentelemetry/api";
import type { ImageManagerEvent } from "balena-image-manager";

const meter = metrics.getMeter("balena-image-manager");
const events = meter.createCounter("image_manager.events", { description: "Events by type" });
const wire = meter.createCounter("image_manager.wire", {
  unit: "By",
  description: "Bytes that were downloaded",
});
const freed = meter.createCounter("image_manager.freed", {
  unit: "By",
  description: "Bytes that evictions freed",
});
const healed = meter.createCounter("image_manager.healed", {
  unit: "{chunk}",
  description: "Damaged chunks",
});
const durations = meter.createHistogram("image_manager.duration", {
  unit: "s",
  description: "How long transfers, revalidations and repairs took",
  advice: { explicitBucketBoundaries: [0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800] },
});

subscribe("balena-image-manager", (message) => record(message as ImageManagerEvent));

/** By type and reason, never by image: the number of ids has no limit. */
function record(event: ImageManagerEvent): void {
  const { type } = event;
  events.add(1, { type, ...reasonOf(event) });
  if ("durationMs" in event) durations.record(event.durationMs / 1000, { type });
  if ("wireBytes" in event) wire.add(event.wireBytes, { type });
  if (type === "evicted") freed.add(event.freedBytes, { reason: event.reason });
  if (type === "healed") healed.add(event.chunks);
}

/** A few words: a code instead of a message. */
function reasonOf(event: ImageManagerEvent): Record<string, string> {
  if ("reason" in event) return { reason: event.reason };
  if ("operation" in event) return { operation: event.operation };
  const cause = "cause" in event ? event.cause : undefined;
  const { code } = (cause ?? {}) as { code?: unknown };
  return typeof code === "string" ? { code } : {};
}
