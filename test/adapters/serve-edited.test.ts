// A provisioning service over real connections: POST of a config.json, and an image with it comes back.
import { expect, onTestFinished, test } from "vitest";
import { bootFiles } from "../../src/adapters/boot-files/index.ts";
import { serve } from "../../src/adapters/node/index.ts";
import { createImageHandler } from "../../src/core/http/index.ts";
import { bytesOf } from "../support/collect.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 16 * 1024 * 1024, assets: true });

async function served() {
  const { manager, storage } = createTestManager(api, { maxBytes: 1e9 });
  const handler = createImageHandler(manager, {
    authorize: async (request) => request.method !== "POST" || (await request.text()).includes("hostname"),
    edit: async (request) =>
      request.method === "POST"
        ? bootFiles({ "config.json": (await request.json()) as Record<string, unknown> })
        : undefined,
    maxBodyBytes: 100_000,
  });
  const server = await serve(handler, { hostname: "127.0.0.1" });
  onTestFinished(async () => {
    await server.close();
    await manager.close();
  });
  const send = (body: string, path = version) =>
    fetch(new URL(`/images/${slug}/${path}`, server.url), { method: "POST", body });
  return { manager, storage, send };
}

test("an image comes back with the config.json that was posted, and only with that", async () => {
  const { manager, send } = await served();
  const [one, two] = await Promise.all(
    ["station-7", "station-8"].map(async (hostname) => {
      const response = await send(JSON.stringify({ hostname }));
      expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
      return Buffer.from(await bytesOf(response.body!));
    }),
  );
  const plain = Buffer.from(await bytesOf(await manager.get(slug, version)));
  expect(Buffer.compare(plain, Buffer.from(api.image(slug, version).bytes()))).toBe(0);
  expect(one!.includes('"station-7"')).toBe(true);
  expect(two!.includes('"station-8"')).toBe(true);
  expect(one!.includes("station-8") || two!.includes("station-7") || plain.includes("station-")).toBe(false);
  expect(api.counters.bytesSent).toBeLessThan(1.1 * (await api.image(slug, version).gzBytes()));
});

test("a connection goes on after a body that is too large or refused", async () => {
  const { send } = await served();
  expect((await send(JSON.stringify({ hostname: "x".repeat(200_000) }))).status).toBe(413);
  expect((await send("{}")).status).toBe(401);
  expect((await send("hostname")).status).toBe(400);
  const response = await send(JSON.stringify({ hostname: "station-9" }), "latest");
  expect(response.status).toBe(200);
  await response.body!.cancel();
});
