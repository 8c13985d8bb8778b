// The balena SDK source: the source contract with the real SDK against a loopback API, and what is the SDK's own.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect, promisify } from "node:util";
import { type BalenaSDK, getSdk } from "balena-sdk";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { balenaSdkSource } from "../../src/adapters/balena-sdk/index.ts";
import { DeviceTypeNotFoundError, InvalidArgumentError, UnauthorizedError } from "../../src/core/errors.ts";
import type { SourceAccount } from "../../src/core/types.ts";
import { fileOf, rejections } from "../contract/source/support.ts";
import { sourceContract } from "../contract/source-contract.ts";
import { type BalenaApi, startBalenaApi } from "../support/balena-api/index.ts";
import { steer } from "../support/steered-api.ts";

// Where the SDK looks for a stored login. It reads the setting once, so it is made before the first SDK is.
const dataDirectory = await mkdtemp(join(tmpdir(), "balena-sdk-test-"));
process.env["BALENARC_DATA_DIRECTORY"] = dataDirectory;
afterAll(() => rm(dataDirectory, { recursive: true }));

const imageBytes = 1024 * 1024;
const print = (value: unknown) => inspect(value, { depth: 10, showHidden: true });

describe("source contract", () => {
  sourceContract({
    test,
    assert,
    inspect: print,
    start: async () => steer(await startBalenaApi({ assets: false, imageBytes }), imageBytes),
    source: balenaSdkSource,
  });
});

describe("balena SDK source", () => {
  let api: BalenaApi;
  beforeEach(async () => {
    api = await startBalenaApi({ assets: false, imageBytes });
  });
  afterEach(() => api.close());

  test("an SDK that is handed in brings its API and its login, asked again each time", async () => {
    const sdk = getSdk({ apiUrl: api.url, dataDirectory: false });
    const source = balenaSdkSource({ sdk });
    expect(source.id).toBe(api.url);
    await expect(source.resolveDeviceType("acme-gw", {})).rejects.toBeInstanceOf(DeviceTypeNotFoundError);
    await sdk.auth.loginWithToken(api.token);
    expect(await source.resolveDeviceType("acme-gw", {})).toBe("acme-gateway");
    const account = (await source.scope?.({})) as SourceAccount;
    expect(await account.confirm({})).toBe("user-42");
    await sdk.auth.logout();
    expect(await source.scope?.({})).toBeUndefined();
  });

  test("the download's parameters are those of the SDK's own download", async () => {
    const sdk = getSdk({ apiUrl: api.url, dataDirectory: false });
    const variant = {
      developmentMode: true,
      imageType: "raw",
      appId: 5,
      network: "wifi",
      wifiSsid: "a b",
      wifiKey: "c+d&é",
      appUpdatePollInterval: 11,
    } as const;
    const image = { deviceType: "intel-nuc", version: "6.4.0+rev1", fileType: ".zip" } as const;
    api.counters.reset();
    const stream = await sdk.models.os.download({ ...image, ...variant });
    stream.on("error", () => {}).resume();
    const asked = api.counters.requestLog.find((request) => request.url.startsWith("/download?"));
    const { url } = fileOf(
      await balenaSdkSource({ sdk }).request({
        ...image,
        variant: { ...variant, fileType: ".zip" },
      }),
    );
    expect(parameters(String(url))).toEqual(parameters(`${api.url}${asked?.url}`));
    expect(parameters(String(url))).toHaveLength(10);
  });

  test("a device type that the API makes up never gets out", async () => {
    api.deviceTypes.push({ slug: "../../etc", name: "Evil", aliases: ["evil"] });
    const attempt = balenaSdkSource({ apiUrl: api.url }).resolveDeviceType("evil", {});
    await expect(attempt).rejects.toMatchObject({ code: "UPSTREAM", unavailable: true });
  });

  test("an expired session is UNAUTHORIZED and its token stays out of the error", async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const token = `${part({ alg: "none" })}.${part({ id: 42, exp: 1_000_000 })}.planted-secret`;
    const source = balenaSdkSource({ apiUrl: api.url, token });
    const image = { deviceType: "intel-nuc", version: "6.3.2", fileType: ".gz", variant: {} } as const;
    const attempts = [
      source.versions("intel-nuc", {}),
      Promise.resolve(source.scope?.({})),
      source.request(image),
    ];
    for (const error of await rejections(attempts)) {
      expect(error).toBeInstanceOf(UnauthorizedError);
      expect(print(error)).not.toContain("planted-secret");
    }
    expect(api.counters.requests).toBe(0);
  });

  test("a stored token that fits no header is UNAUTHORIZED and is not repeated", async () => {
    const sdk = getSdk({ apiUrl: api.url, dataDirectory: false });
    await sdk.auth.loginWithToken("planted secret key");
    const source = balenaSdkSource({ sdk });
    const attempts = [Promise.resolve(source.scope?.({})), source.versions("intel-nuc", {})];
    for (const error of await rejections(attempts)) {
      expect(error).toBeInstanceOf(Error);
      for (const part of ["planted", "secret", "key"]) expect(print(error)).not.toContain(part);
    }
  });

  test("the SDK is imported when it is first needed", async () => {
    const script = `
      import { Module } from "node:module";
      import { balenaSdkSource } from "./src/adapters/balena-sdk/index.ts";
      const isLoaded = () => Object.keys(Module._cache).some((path) => path.includes("balena-sdk"));
      const source = balenaSdkSource({ apiUrl: "${api.url}" });
      const before = isLoaded();
      await source.scope({});
      console.log(before, isLoaded());`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
    });
    expect(stdout.trim()).toBe("false true");
  });

  test("a session that is a day old is renewed once, as the SDK does it, and a failure of that is no obstacle", async () => {
    const sdk = getSdk({ apiUrl: api.url, dataDirectory: false });
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const iat = Math.floor(Date.now() / 1000) - 25 * 60 * 60;
    await sdk.auth.loginWithToken(`${part({ alg: "none" })}.${part({ id: 42, iat })}.old`);
    const source = balenaSdkSource({ sdk });
    // The loopback API does not know the old token, so it does not renew it.
    await source.versions("intel-nuc", {});
    await source.versions("intel-nuc", {});
    const asked = api.counters.requestLog.map(({ url, status }) => `${url.split("?")[0]} ${status}`);
    expect(asked).toEqual(["/user/v1/refresh-token 401", "/v7/application 200", "/v7/application 200"]);
  });

  test("sdk excludes apiUrl and token, and must be one", () => {
    const sdk = getSdk({ apiUrl: api.url, dataDirectory: false });
    expect(() => balenaSdkSource({ sdk, apiUrl: api.url })).toThrow(InvalidArgumentError);
    expect(() => balenaSdkSource({ sdk, token: "t" })).toThrow(InvalidArgumentError);
    expect(() => balenaSdkSource({ sdk: {} as BalenaSDK })).toThrow(/sdk must be a balena SDK/);
  });

  test("the login stored on this machine is for balenaCloud alone", async () => {
    await writeFile(join(dataDirectory, "token"), "stored-api-key");
    const byDefault = balenaSdkSource();
    expect(byDefault.id).toBe("https://api.balena-cloud.com");
    const release = { deviceType: "intel-nuc", version: "6.3.2", variant: {} } as const;
    const image = { ...release, fileType: ".gz", isWhole: true } as const;
    expect(fileOf(await byDefault.request(image)).headers).toEqual({
      authorization: "Bearer stored-api-key",
    });

    const elsewhere = balenaSdkSource({ apiUrl: api.url });
    expect(fileOf(await elsewhere.request(image)).headers).toEqual({});
    await elsewhere.versions("intel-nuc", {});
    expect(api.counters.requestLog.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });
});

const parameters = (url: string) => [...new URL(url).searchParams].sort();
