// The example for OpenTelemetry, with its own SDK as the judge.
import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { expect, test } from "vitest";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import { nodeEvents } from "../../src/adapters/node/index.ts";
import { createImageManager } from "../../src/core/index.ts";
import { rejection } from "../support/collect.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";

const api = await sharedApi();

test("counts events, bytes on the wire and durations, by type and reason and not by image", async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const provider = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 })],
  });
  metrics.setGlobalMeterProvider(provider);
  await import("../../examples/opentelemetry.ts");

  const source = balenaApiSource({ apiUrl: api.url });
  const images = createImageManager({
    source,
    storage: memoryAdapter(),
    onEvent: nodeEvents,
    retry: { attempts: 1 },
  });
  await images.prefetch(slug, version);
  await images.prefetch(slug, version);
  await images.remove(slug, version);
  api.faults.refuse = { status: 503 };
  await rejection(images.prefetch(slug, version));
  await provider.forceFlush();

  const [exported] = exporter.getMetrics().at(-1)!.scopeMetrics;
  const points = (name: string) =>
    exported!.metrics.find(({ descriptor }) => descriptor.name === `image_manager.${name}`)!.dataPoints;
  const counts = points("events").map(({ attributes, value }) => [attributes, value]);
  expect(counts).toEqual([
    [{ type: "miss" }, 2],
    [{ type: "committed" }, 1],
    [{ type: "revalidated" }, 1],
    [{ type: "evicted", reason: "remove" }, 1],
    [{ type: "failed", code: "UPSTREAM" }, 1],
  ]);
  const gzBytes = await api.image(slug, version).gzBytes();
  expect(points("wire")).toMatchObject([
    { attributes: { type: "committed" }, value: gzBytes },
    { attributes: { type: "failed" }, value: 0 },
  ]);
  expect(points("duration").map(({ attributes }) => attributes["type"])).toEqual([
    "committed",
    "revalidated",
    "failed",
  ]);
  await provider.shutdown();
});
