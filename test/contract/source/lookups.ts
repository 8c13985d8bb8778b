// Source contract: identity and scope, device types, versions.
import type { SourceAccount } from "../../../src/core/types.ts";
import {
  type AnyError,
  type Case,
  image,
  isEsr,
  jwt,
  nameOf,
  nowSeconds,
  rejection,
  rejections,
  slug,
  thrown,
} from "./support.ts";

const hostile = ["", "..", "../x", "a/b", "a..b", "a b", "a'b", "a\n", "-a", "a?b", "a%2fb", "x".repeat(65)];
/** What a user may type, and an API never names as a slug. */
const aliasesOnly = ["A", "ZE250", "odroid-u3+"];
const notStrings = [undefined, null, 7, {}, ["raspberrypi4-64"]];

export const identityCases: Record<string, Case> = {
  "id is the API's origin": async (api, { source, assert }) => {
    assert.equal(source({ apiUrl: `${api.url}/` }).id, api.url);
  },
  "construction asks the API nothing": async (api, { source, assert }) => {
    const requestsOfLookUp = async () => {
      await source({ apiUrl: api.url }).resolveDeviceType(slug, {});
      return (await api.takeRequests()).length;
    };
    const alone = await requestsOfLookUp();
    source({ apiUrl: api.url, token: api.token });
    assert.equal(await requestsOfLookUp(), alone);
  },
  "a wrong apiUrl or token is INVALID_ARGUMENT, and is not repeated": async (
    api,
    { source, assert, inspect },
  ) => {
    for (const apiUrl of ["", "api.balena-cloud.com", "file:///etc", "https://joe:secret-pass@example.com"]) {
      const error = thrown(() => source({ apiUrl }));
      assert.equal(error?.code, "INVALID_ARGUMENT", apiUrl);
      assert.ok(!inspect(error).includes("secret-pass"));
    }
    for (const token of ["", "secret token", "secret\ntoken", "secr\u00e9t"]) {
      const error = thrown(() => source({ apiUrl: api.url, token }));
      assert.equal(error?.code, "INVALID_ARGUMENT", token);
      assert.ok(!/secr[eé]t/.test(inspect(error)));
    }
  },
  "scope: none without a token, else an account that the API confirms by one request": async (
    api,
    { source, assert, inspect },
  ) => {
    const accountOf = async (token?: string) =>
      (await source({ apiUrl: api.url, ...(token && { token }) }).scope?.({})) as SourceAccount;
    assert.equal(await accountOf(), undefined);
    const account = await accountOf(api.token);
    assert.ok(/^[0-9a-f]{64}$/.test(account.digest) && !inspect(account).includes(api.token));
    assert.equal((await accountOf(api.token)).digest, account.digest);
    assert.ok((await accountOf("opaque-api-key")).digest !== account.digest);
    assert.equal((await api.takeRequests()).length, 0);
    assert.equal(await account.confirm({}), "user-42");
    assert.deepEqual(
      (await api.takeRequests()).map(({ url }) => url),
      ["/actor/v1/whoami"],
    );
  },
  "a token that names an account opens nothing unless the API accepts it": async (
    api,
    { source, assert },
  ) => {
    for (const token of [jwt({ id: 42, iat: nowSeconds() }), "opaque-api-key"]) {
      const account = (await source({ apiUrl: api.url, token }).scope?.({})) as SourceAccount;
      const error = await rejection(account.confirm({}));
      assert.equal(error.code, "UNAUTHORIZED");
      assert.equal(error.status, 401);
    }
  },
};

export const deviceTypeCases: Record<string, Case> = {
  "a slug and an alias resolve to the slug, by one request each": async (api, { source, assert }) => {
    const anonymous = source({ apiUrl: api.url });
    for (const name of [slug, "raspberry-pi4"]) {
      assert.equal(await anonymous.resolveDeviceType(name, {}), slug);
      assert.equal((await api.takeRequests()).length, 1);
    }
  },
  "an unknown device type is DEVICE_TYPE_NOT_FOUND and named": async (api, { source, assert }) => {
    const error = await rejection(source({ apiUrl: api.url }).resolveDeviceType("no-such-board", {}));
    assert.equal(error.code, "DEVICE_TYPE_NOT_FOUND");
    assert.ok(error.message.includes("no-such-board"));
  },
  "a private device type is found with the token alone": async (api, { source, assert }) => {
    const error = await rejection(source({ apiUrl: api.url }).resolveDeviceType("acme-gw", {}));
    assert.equal(error.code, "DEVICE_TYPE_NOT_FOUND");
    assert.equal(
      await source({ apiUrl: api.url, token: api.token }).resolveDeviceType("acme-gw", {}),
      "acme-gateway",
    );
  },
  "a hostile device type is INVALID_ARGUMENT before any request": async (api, { source, assert }) => {
    const anonymous = source({ apiUrl: api.url });
    for (const value of [...hostile, ...notStrings] as string[]) {
      const attempts = [
        anonymous.resolveDeviceType(value, {}),
        anonymous.versions(value, {}),
        anonymous.request(image({}, { deviceType: value })),
      ];
      const codes = (await rejections(attempts)).map(({ code }) => code);
      assert.deepEqual([...new Set(codes)], ["INVALID_ARGUMENT"], String(value));
    }
    assert.equal((await api.takeRequests()).length, 0);
  },
  "aliases may have capitals and plus signs, and case counts; slugs may not": async (
    api,
    { source, assert },
  ) => {
    const anonymous = source({ apiUrl: api.url });
    for (const alias of ["ZE250", "odroid-u3+"])
      assert.equal(await anonymous.resolveDeviceType(alias, {}), "intel-nuc");
    assert.equal((await rejection(anonymous.resolveDeviceType("ze250", {}))).code, "DEVICE_TYPE_NOT_FOUND");
    for (const alias of aliasesOnly) {
      const attempts = [anonymous.versions(alias, {}), anonymous.request(image({}, { deviceType: alias }))];
      for (const { code } of await rejections(attempts)) assert.equal(code, "INVALID_ARGUMENT", alias);
    }
  },
};

export const versionCases: Record<string, Case> = {
  "versions come with line, phase, known issues and date, without drafts and failed ones": async (
    api,
    host,
  ) => {
    const { assert, source } = host;
    const list = await source({ apiUrl: api.url }).versions(slug, {});
    const find = (version: string) => list.find((entry) => entry.version === version);
    assert.deepEqual([...new Set(list.filter(isEsr).map(nameOf))].sort(), [
      "2021.10.2.prod",
      "2023.1.0",
      "2023.10.1",
    ]);
    assert.equal(find("6.1.0")?.phase, "current");
    assert.equal(find("6.0.10")?.phase, undefined);
    assert.equal(find("6.0.10+rev1")?.knownIssues, "Wi-Fi may drop on resume");
    assert.ok(!Number.isNaN(Date.parse(String(find("6.1.0")?.createdAt))));
    assert.ok(list.every(({ draft }) => draft === false));
    for (const version of ["2.60.1+rev1.prod", "2.60.1+rev1.dev", "6.2.0-beta.1"])
      assert.ok(find(version), version);
    for (const version of ["6.3.0-1771234567890", "6.0.9", "6.0.8"])
      assert.equal(find(version), undefined, version);
  },
  "drafts come when asked for, and are marked": async (api, { source, assert }) => {
    const list = await source({ apiUrl: api.url }).versions(slug, { includeDrafts: true });
    assert.deepEqual(list.filter(({ draft }) => draft).map(nameOf), ["6.3.0-1771234567890"]);
    assert.ok(list.some(({ version }) => version === "6.1.0"));
    assert.ok(!list.some(({ version }) => version === "6.0.9"));
  },
  "versions of a private device type need the token": async (api, { source, assert }) => {
    assert.deepEqual(await source({ apiUrl: api.url }).versions("acme-gateway", {}), []);
    const list = await source({ apiUrl: api.url, token: api.token }).versions("acme-gateway", {});
    assert.deepEqual(list.map(nameOf).sort(), ["2023.10.1", "6.1.1"]);
  },
  "a release without a version is passed over, and one that two applications have stands once": async (
    api,
    { source, assert },
  ) => {
    await api.addRelease({ deviceType: slug, version: null });
    await api.addRelease({ deviceType: slug, version: "2.88.4+rev1", line: "esr" });
    const list = await source({ apiUrl: api.url }).versions(slug, { includeDrafts: true });
    assert.ok(list.length > 5);
    assert.equal(new Set(list.map(nameOf)).size, list.length);
    const { line } = list.find(({ version }) => version === "2.88.4+rev1")!;
    assert.equal(line, "default");
  },
  "if nothing is listed, a token that is refused is UNAUTHORIZED": async (
    api,
    { source, assert, inspect },
  ) => {
    const token = "planted-secret-token";
    const refused = source({ apiUrl: api.url, token });
    const attempts = [
      refused.resolveDeviceType("acme-gw", {}),
      refused.versions("acme-edge", {}),
      refused.versions("no-release-yet", {}),
    ];
    for (const error of await rejections<AnyError>(attempts)) {
      assert.equal(error.code, "UNAUTHORIZED");
      assert.equal(error.status, 401);
      assert.ok(error.cause instanceof Error);
      assert.ok(!inspect(error).includes("planted-secret"));
    }
    assert.ok((await refused.versions(slug, {})).length > 0, "a guest's view");
    const accepted = source({ apiUrl: api.url, token: api.token });
    assert.deepEqual(await accepted.versions("no-release-yet", {}), []);
    assert.equal((await rejection(accepted.resolveDeviceType("nope", {}))).code, "DEVICE_TYPE_NOT_FOUND");
  },
  "a device type without releases has an empty list": async (api, { source, assert }) => {
    assert.deepEqual(await source({ apiUrl: api.url }).versions("no-release-yet", {}), []);
  },
  "each call asks once and afresh, whatever callers did to the last answer": async (
    api,
    { source, assert },
  ) => {
    const anonymous = source({ apiUrl: api.url });
    const before = await anonymous.versions(slug, {});
    const count = before.length;
    before.splice(0);
    await api.addRelease({ deviceType: slug, version: "6.9.9" });
    const after = await anonymous.versions(slug, {});
    assert.equal(after.length, count + 1);
    assert.ok(after.some(({ version }) => version === "6.9.9"));
    assert.equal((await api.takeRequests()).length, 2);
  },
};
