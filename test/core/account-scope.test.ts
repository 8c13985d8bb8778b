/** An account's images are opened by credentials that the upstream has accepted, and by no others, whatever these say of themselves. */
import { describe, expect, test } from "vitest";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { balenaSdkSource } from "../../src/adapters/balena-sdk/index.ts";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import type { CacheMode } from "../../src/core/index.ts";
import { jwt, nowSeconds } from "../contract/source/support.ts";
import { arrayOf, collect, rejection } from "../support/collect.ts";
import { sharedApi } from "../support/shared-api.ts";
import { createTestManager, type TestManagerOptions } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 512 * 1024 });
const [slug, version] = ["acme-gateway", "6.1.1"];
/** Names the account that the API's own token is of. Nobody signed it. */
const forged = jwt({ id: 42, iat: nowSeconds() });
const down = () => Object.assign(api.faults.metadata, { lose: {} });

describe.each([
  ["balenaApiSource", balenaApiSource],
  ["balenaSdkSource", balenaSdkSource],
] as const)("with %s", (_, source) => {
  const managerOf = (token: string, options: TestManagerOptions) =>
    createTestManager(api, { ...options, source: source({ apiUrl: api.url, token }) }).manager;

  /** A store in which the account's private image lies. */
  async function seeded(freshness = { maxAgeMs: 0 }) {
    const options = { storage: memoryAdapter(), freshness };
    await managerOf(api.token, options).prefetch(slug, version);
    return options;
  }

  test.each<[string, { cache?: CacheMode; isDown?: boolean; maxAgeMs?: number; code: string }]>([
    ["force-cache", { cache: "force-cache", code: "UNAUTHORIZED" }],
    ["only-if-cached", { cache: "only-if-cached", code: "NOT_CACHED" }],
    ["a copy that is young enough", { maxAgeMs: 1e9, code: "UNAUTHORIZED" }],
    ["a copy that must be confirmed", { code: "UNAUTHORIZED" }],
    ["the API down", { isDown: true, code: "UPSTREAM" }],
    ["force-cache and the API down", { cache: "force-cache", isDown: true, code: "UPSTREAM" }],
  ])(
    "a forged token does not open it: %s",
    async (_name, { cache = "default", isDown, maxAgeMs = 0, code }) => {
      const options = await seeded({ maxAgeMs });
      if (isDown) down();
      const manager = managerOf(forged, options);
      for (const wanted of [version, "^6.0.0"])
        expect(await rejection(manager.get(slug, wanted, { cache }))).toMatchObject({ code });
      expect(await manager.inspect(slug, version)).toBeUndefined();
      expect(await manager.remove(slug, version)).toBe(false);
      expect(await manager.pin(slug, version)).toBe(false);
    },
  );

  test("the account's own token opens it, in a new process and with the API down, too", async () => {
    const options = await seeded();
    down();
    const manager = managerOf(api.token, options);
    const stream = await manager.get(slug, version, { cache: "only-if-cached" });
    expect((await collect(stream)).sha256).toBe(await api.image(slug, version).sha256);
    api.counters.reset();
    expect((await manager.get(slug, version, { cache: "force-cache" })).origin).toBe("cache");
    expect(await manager.inspect(slug, version)).toMatchObject({ variant: { scope: "user-42" } });
    expect(api.counters.requests).toBe(0);
  });

  test("is asked about once for a token, whatever the number of gets and processes", async () => {
    const options = { storage: memoryAdapter(), freshness: { maxAgeMs: 1e9 } };
    const questions = () => api.counters.requestLog.filter(({ url }) => url === "/actor/v1/whoami").length;
    for (let process = 0; process < 2; process++) {
      const manager = managerOf(api.token, options);
      for (let get = 0; get < 3; get++) await collect(await manager.get(slug, "^6.0.0"));
    }
    expect(questions()).toBe(1);
    api.counters.reset();
    await collect(await managerOf(api.token, options).get(slug, "^6.0.0"));
    expect(api.counters.requests).toBe(0);
  });

  test("neither token nor its digest under another name is in the store's keys and values", async () => {
    const { storage } = await seeded();
    const keys = await storage.getKeys("", {});
    const values = await Promise.all(keys.map((key) => storage.getItemRaw?.(key, {})));
    const text = values.map((value) => Buffer.from(value as Uint8Array).toString("latin1")).join("\n");
    for (const part of api.token.split(".")) expect(text + keys.join("\n")).not.toContain(part);
  });
});

test("a token that is revoked opens nothing once the upstream has said so", async () => {
  const options = { storage: memoryAdapter() };
  const token = "another-key";
  let isAccepted = true;
  const whoami = JSON.stringify({ actorType: "user", actorTypeId: 7 });
  const answers: typeof fetch = async (input, init) => {
    if (String(input).includes("/whoami")) return new Response(whoami, { status: isAccepted ? 200 : 401 });
    const headers = new Headers(init?.headers);
    if (isAccepted) headers.set("authorization", `Bearer ${api.token}`);
    return fetch(input, { ...init, headers });
  };
  const source = () => balenaApiSource({ apiUrl: api.url, token, fetch: answers });
  const managerOf = () => createTestManager(api, { ...options, source: source(), fetch: answers }).manager;
  expect((await managerOf().prefetch(slug, version)).variant.scope).toBe("user-7");
  isAccepted = false;
  const manager = managerOf();
  expect(await rejection(manager.versions(slug))).toMatchObject({ code: "UNAUTHORIZED" });
  expect(await manager.inspect(slug, version)).toBeUndefined();
  const offline = managerOf().get(slug, version, { cache: "only-if-cached" });
  expect(await rejection(offline)).toMatchObject({ code: "NOT_CACHED" });
});

test("an API that accepts a token and names nobody gives it a scope of its own", async () => {
  const answers: typeof fetch = async (input, init) =>
    String(input).includes("/whoami") ? new Response("Not Found", { status: 404 }) : fetch(input, init);
  const source = balenaApiSource({ apiUrl: api.url, token: "opaque-key", fetch: answers });
  const { manager } = createTestManager(api, { source });
  const info = await manager.prefetch("intel-nuc", "6.3.2");
  expect(info.variant.scope).toMatch(/^token-[0-9a-f]{16}$/);
  expect(await arrayOf(manager.list())).toHaveLength(1);
});

test("nothing found without a token says to sign in", async () => {
  const { manager } = createTestManager(api);
  for (const name of ["acme-gateway", "acme-edge"])
    expect(String(await rejection(manager.get(name)))).toContain("sign in");
});
