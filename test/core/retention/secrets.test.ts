// Who may see which image, and what must never be written down: accounts, scopes, API origins and variants stay apart in one store,
// and no key, value, event, error, progress or listing holds a token or a secret, nor anything of an image that carries one.
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import type { GetOptions, ImageInfo, StoreDriver } from "../../../src/core/index.ts";
import { repeatableImages } from "../../support/balena-api/index.ts";
import { arrayOf, collect, rejection } from "../../support/collect.ts";
import { faultyDriver } from "../../support/faulty-driver.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { chunkBytes, createTestManager, type TestManager } from "../../support/test-manager.ts";
import { lease, plainSource, readSome, stores } from "../sharing/support.ts";

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const claims = { id: 42, actor: 4711, username: "tester", iat: Math.floor(Date.now() / 1000) };
const tokens = {
  JWT: [part({ alg: "HS256", typ: "JWT" }), part(claims), "sIgnAtUrE-0123456789-abcdefghij"].join("."),
  opaque: "oPaQuEaPiKeY0123456789abcdefABCD",
};
const imageBytes = 4 * chunkBytes;
const apis = {
  JWT: await sharedApi({ ...repeatableImages, imageBytes, holeFree: true, token: tokens.JWT }),
  opaque: await sharedApi({ ...repeatableImages, imageBytes, holeFree: true, token: tokens.opaque }),
};
const api = apis.JWT;
const raw = { fileType: ".img" } as const;
const credentials = {
  appId: 4815162342,
  network: "wifi",
  wifiSsid: "home",
  wifiKey: "correct horse/battery&staple",
} as const;

/** What must not show, in every form that it might take on its way. */
const secrets = [
  tokens.JWT,
  ...tokens.JWT.split(".").slice(1),
  tokens.opaque,
  credentials.wifiKey,
  `${credentials.appId}`,
]
  .flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    btoa(secret),
    Buffer.from(secret).toString("hex"),
  ])
  .concat(new URLSearchParams({ wifiKey: credentials.wifiKey }).toString());

function expectNoSecret(text: string | Buffer, where: string): void {
  for (const secret of secrets) expect(text.includes(secret), where).toBe(false);
}

const shown = (value: unknown) =>
  inspect(value, { depth: 10, showHidden: true, maxStringLength: null, maxArrayLength: null });

/** Looks through all that a store holds. */
async function expectNoSecretIn(storage: StoreDriver): Promise<void> {
  const keys = await storage.getKeys("", {});
  for (const key of keys) {
    expectNoSecret(key, "a key");
    const value = (await storage.getItemRaw?.(key, {})) as Uint8Array | null;
    expectNoSecret(Buffer.from(value ?? []), key);
  }
}

/** All of a public life, with its faults; everything that comes out of it. */
async function live(
  { manager, storage, events }: TestManager,
  faults: typeof api.faults,
): Promise<unknown[]> {
  const out: unknown[] = [];
  const get = async (options: GetOptions) => {
    const getting = manager.get(slug, version, {
      ...options,
      onProgress: (progress) => out.push({ ...progress }),
    });
    const stream = await getting.catch((failure: unknown) => void out.push(failure));
    if (!stream) return;
    out.push(stream, await collect(stream).catch((failure: unknown) => failure));
    out.push(await stream.committed().catch((failure: unknown) => failure));
  };
  const tries: GetOptions[] = [{}, credentials, { cache: "reload" }, { ...credentials, ...raw }];
  for (const options of tries) await get(options);
  for (const status of [401, 403, 404, 500]) {
    faults.refuse = { status };
    for (const options of tries) await get(options);
  }
  faults.reset();
  faults.lose = { atPercent: 50 };
  faults.ranges = "off";
  for (const options of tries) await get(options);
  faults.reset();
  faults.stall = { atPercent: 60 };
  const left = await manager.get(slug, "6.0.10", raw);
  await readSome(left, 2 * chunkBytes);
  for (const kind of ["leases", "partials"])
    await expect
      .poll(() => (storage as StoreDriver).getKeys(`balena-images:v1:${kind}:`, {}))
      .not.toEqual([]);
  out.push(await arrayOf(manager.list()));
  await expectNoSecretIn(storage as StoreDriver);
  await left.cancel();
  faults.reset();
  out.push(await manager.versions(slug), await manager.inspect(slug, version), await arrayOf(manager.list()));
  out.push(await manager.verify(), await manager.prune({ maxBytes: 0 }));
  return [...out, ...events.all];
}

describe.each(stores)("over %s", (_, newStore) => {
  test.each(["JWT", "opaque"] as const)(
    "%s: no secret in keys, values, events, errors, progress and listing",
    async (kind) => {
      const storage = faultyDriver(await newStore(), {
        operation: "setItemRaw",
        key: /:uses:/,
        does: "throw",
      });
      const { url, faults } = apis[kind];
      const kit = createTestManager({ url }, { storage, token: tokens[kind], lease });
      const out = await live(kit, faults);
      for (const value of out) {
        expectNoSecret(shown(value), shown(value).slice(0, 500));
        expectNoSecret(JSON.stringify(value) ?? "", "JSON");
        if (value instanceof Error) expectNoSecret(`${value.stack} ${value.cause}`, "a stack");
      }
      expect(out.filter((value) => value instanceof Error).length).toBeGreaterThan(10);
      await expectNoSecretIn(storage);
      for (const { key } of storage.calls) expectNoSecret(key, "a key");
    },
  );

  test("an image with credentials: two gets are two transfers, and the store hears nothing of them", async () => {
    const storage = faultyDriver(await newStore());
    const managers = [1, 2].map(
      () => createTestManager(api, { storage, lease, source: plainSource(api) }).manager,
    );
    const gets = [managers[0]!, managers[0]!, managers[1]!];
    const streams = await Promise.all(gets.map((manager) => manager.get(slug, version, credentials)));
    expect(api.counters.transfers).toBe(3);
    const { sha256 } = api.image(slug, version, credentials);
    for (const image of await Promise.all(streams.map(collect))) expect(image.sha256).toBe(await sha256);
    expect(storage.calls.filter(({ key }) => !key.includes(":v1:catalog:"))).toEqual([]);
    for (const manager of managers) expect(await arrayOf(manager.list())).toEqual([]);
  });

  test("an image with credentials that breaks off leaves nothing to be taken up", async () => {
    const storage = faultyDriver(await newStore());
    const { manager } = createTestManager(api, { storage, lease, source: plainSource(api) });
    api.faults.stall = { atPercent: 60 };
    const left = await manager.get(slug, version, { ...raw, ...credentials });
    await readSome(left, 2 * chunkBytes);
    await left.cancel();
    api.faults.reset();
    const again = await manager.get(slug, version, { ...raw, ...credentials });
    expect((await collect(again)).sha256).toBe(await api.image(slug, version, credentials).sha256);
    const requests = api.counters.requestLog.filter(({ url }) => url.startsWith("/download"));
    expect(requests.map(({ headers }) => headers.range)).toEqual([undefined, undefined]);
    expect(storage.calls.filter(({ key }) => !key.includes(":v1:catalog:"))).toEqual([]);
  });

  test("accounts, scopes, origins and variants never meet in one store", async () => {
    const storage = await newStore();
    apis.opaque.faults.change = { content: true, validators: true };
    const anonymous = createTestManager(api, { storage }).manager;
    const signedIn = createTestManager(api, { storage, token: tokens.JWT }).manager;
    const elsewhere = createTestManager(apis.opaque, { storage }).manager;
    const elsewhereSignedIn = createTestManager(apis.opaque, { storage, token: tokens.opaque }).manager;
    const owners = [anonymous, signedIn, elsewhere, elsewhereSignedIn].flatMap((manager) =>
      [{}, { scope: "ann" }, { scope: "bob" }, { developmentMode: true }].map((options) => ({
        manager,
        options,
      })),
    );
    const infos: ImageInfo[] = [];
    for (const { manager, options } of owners) {
      const wanted = { ...options, cache: "only-if-cached" } as const;
      const isScoped = "scope" in options;
      const early = manager.get(slug, version, wanted);
      // A scope that the caller names is the caller's word for who may see it: there, accounts of one origin do meet.
      if (isScoped && (manager === signedIn || manager === elsewhereSignedIn)) await (await early).cancel();
      else expect(await rejection(early)).toMatchObject({ code: "NOT_CACHED" });
      infos.push(await manager.prefetch(slug, version, options));
    }
    expect(new Set(infos.map(({ id }) => id)).size).toBe(12);
    for (const { manager, options } of owners) {
      const revision = manager === anonymous || manager === signedIn ? 0 : 1;
      const got = await collect(await manager.get(slug, version, { ...options, cache: "only-if-cached" }));
      const { developmentMode } = options as GetOptions;
      expect(got.sha256).toBe(await api.image(slug, version, { developmentMode }, revision).sha256);
    }
    expect(await signedIn.remove(slug, version)).toBe(true);
    expect(await signedIn.inspect(slug, version)).toBeUndefined();
    for (const manager of [anonymous, elsewhere, elsewhereSignedIn])
      expect(await manager.inspect(slug, version)).toBeDefined();
  });
});
