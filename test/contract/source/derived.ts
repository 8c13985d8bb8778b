// Source contract: how configured images follow from the plain one, and the config.json of a fleet.
import type { DerivedImage, ImageSource, ImageVariant, ResolvedImage } from "../../../src/core/types.ts";
import { type Case, image, rejection } from "./support.ts";

/** The id of a fleet that the account may not see. */
const foreignFleet = 404_404;

const derived = async (
  source: ImageSource,
  variant: ImageVariant,
  overrides?: Partial<ResolvedImage>,
): Promise<DerivedImage | undefined> => source.derive?.(image(variant, overrides));

export const derivedCases: Record<string, Case> = {
  "what is written into an image follows from the plain one": async (api, { source, assert }) => {
    const plain = source({ apiUrl: api.url });
    const plainOf = async (variant: ImageVariant) => {
      const found = await derived(plain, variant);
      assert.equal(typeof found?.edit, "function");
      assert.equal(found?.isNewEachTime, false);
      return found?.variant;
    };
    assert.deepEqual(await plainOf({ developmentMode: true }), {});
    assert.deepEqual(await plainOf({ network: "wifi", wifiSsid: "a", wifiKey: "correct horse" }), {});
    assert.deepEqual(await plainOf({ appUpdatePollInterval: 5 }), {});
    const chosen = { imageType: "raw", fileType: ".img" } as const;
    assert.deepEqual(await plainOf({ developmentMode: true, ...chosen }), chosen);
  },
  "what is a file of its own follows from no other": async (api, { source, assert }) => {
    const asked = source({ apiUrl: api.url });
    assert.equal(await derived(asked, {}), undefined);
    assert.equal(await derived(asked, { imageType: "raw" }), undefined);
    for (const fileType of [".gz", ".zip"] as const)
      assert.equal(await derived(asked, { developmentMode: true, fileType }), undefined);
    assert.equal(await derived(asked, { developmentMode: true }, { version: "1.26.0" }), undefined);
    assert.deepEqual(await api.takeRequests(), []);
  },
  "a device type is asked for once": async (api, { source, assert }) => {
    const asked = source({ apiUrl: api.url });
    for (const version of ["6.1.0", "6.0.10"]) await derived(asked, { developmentMode: true }, { version });
    const urls = (await api.takeRequests()).map(({ url }) => url);
    assert.deepEqual(urls, ["/device-types/v1/raspberrypi4-64"]);
  },
  "an image of a fleet is another one each time": async (api, { source, assert }) => {
    const signedIn = source({ apiUrl: api.url, token: api.token });
    const found = await derived(signedIn, { appId: 12, imageType: "raw", wifiSsid: "a" });
    assert.deepEqual(found?.variant, { imageType: "raw" });
    assert.equal(found?.isNewEachTime, true);
    const urls = (await api.takeRequests()).map(({ url }) => url);
    assert.deepEqual(urls, ["/device-types/v1/raspberrypi4-64", "/download-config"]);
  },
  "a fleet's config.json has a new key each time, and no network": async (api, { source, assert }) => {
    const signedIn = source({ apiUrl: api.url, token: api.token });
    const variant = { appId: 12, developmentMode: true, wifiSsid: "a", wifiKey: "correct horse" };
    const [one, other] = [await signedIn.config?.(image(variant)), await signedIn.config?.(image(variant))];
    assert.equal(one?.["applicationId"], 12);
    assert.equal(one?.["developmentMode"], true);
    assert.equal(one?.["deviceType"], "raspberrypi4-64");
    assert.ok(one?.["apiKey"] !== other?.["apiKey"]);
    for (const name of ["network", "wifiSsid", "wifiKey"]) assert.ok(!(name in one!), name);
  },
  "a fleet needs an account that may see it": async (api, { source, assert, inspect }) => {
    const guest = source({ apiUrl: api.url });
    const signedIn = source({ apiUrl: api.url, token: api.token });
    const codesOf = async (from: ImageSource, appId: number) => [
      (await rejection(derived(from, { appId }))).code,
      (await rejection(from.config!(image({ appId })))).code,
    ];
    assert.deepEqual(await codesOf(guest, 12), ["UNAUTHORIZED", "UNAUTHORIZED"]);
    assert.deepEqual(await codesOf(signedIn, foreignFleet), ["VERSION_NOT_FOUND", "VERSION_NOT_FOUND"]);
    const failure = await rejection(signedIn.config!(image({ appId: foreignFleet })));
    assert.ok(/fleet 404404.*permission.*Check "appId"/.test(failure.message), failure.message);
    assert.ok(!inspect(failure).includes(api.token));
  },
  "an image is configured without an API, but not for a fleet": async (api, { source, assert }) => {
    for (const fault of [{ status: 503 }, {}]) {
      await api.failMetadata(fault);
      const asked = source({ apiUrl: api.url, token: api.token });
      assert.deepEqual((await derived(asked, { developmentMode: true }))?.variant, {});
      assert.equal((await rejection(derived(asked, { appId: 12 }))).code, "UPSTREAM");
    }
  },
  "settings without effect are refused, before a key is made": async (api, { source, assert, inspect }) => {
    const signedIn = source({ apiUrl: api.url, token: api.token });
    const wrong: ImageVariant[] = [
      { appId: 12, wifiKey: "planted secret" },
      { appId: 12, ip: "10.0.0.5", netmask: "24", gateway: "10.0.0.1" },
      { appId: 12, wifiSsid: "a", ip: "10.0.0.5" },
      { appId: 12, wifiSsid: "x".repeat(33) },
      { appId: 12, wifiSsid: "a", wifiKey: "planted" },
      { developmentMode: true, provisioningKeyName: "a" },
    ];
    for (const variant of wrong) {
      const failure = await rejection(derived(signedIn, variant));
      assert.equal(failure.code, "INVALID_ARGUMENT");
      assert.ok(!inspect(failure).includes("planted"));
    }
    assert.equal((await rejection(signedIn.config!(image({})))).code, "INVALID_ARGUMENT");
    const urls = (await api.takeRequests()).map(({ url }) => url);
    assert.ok(!urls.includes("/download-config"), urls.join());
  },
  "a configuration of the upstream is asked for if that is wanted": async (api, { source, assert }) => {
    const asked = source({ apiUrl: api.url, token: api.token, configure: "upstream" });
    assert.equal(asked.derive, undefined);
    assert.equal((await asked.config?.(image({ appId: 12 })))?.["applicationId"], 12);
  },
};
