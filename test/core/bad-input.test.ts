/** Everything wrong that a caller may pass: a typed error that says what was wrong and what would be right, before anything is asked. */
import { describe, expect, test } from "vitest";
import {
  type GetOptions,
  type ImageManager,
  ImageManagerError,
  isImageManagerError,
} from "../../src/core/index.ts";
import { rejection } from "../support/collect.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 256 * 1024 });
const any = (value: unknown) => value as never;

/** Every call that takes a device type and a version. */
const calls: [
  string,
  (manager: ImageManager, deviceType: string, version: string, options?: object) => Promise<unknown>,
][] = [
  ["get", (manager, ...args) => manager.get(...args)],
  ["prefetch", (manager, ...args) => manager.prefetch(...args)],
  ["resolve", (manager, ...args) => manager.resolve(...args)],
  ["inspect", (manager, ...args) => manager.inspect(...args)],
  ["isFresh", (manager, ...args) => manager.isFresh(...args)],
];

describe.each(calls)("%s", (_, call) => {
  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a number", 4],
    ["an empty text", ""],
    ["a path", "../../etc/passwd"],
    ["dots", "a..b"],
    ["a slash", "raspberrypi/4"],
    ["a colon", "raspberrypi:4"],
    ["a query", "raspberrypi4?x=1"],
    ["a quote", "raspberrypi4') or true or ('"],
    ["a line end", "raspberrypi4-64\nx"],
    ["a line end behind", "raspberrypi4-64\n"],
    ["a zero byte", "raspberrypi4\0"],
    ["65 characters", "a".repeat(65)],
    ["a dot in front", ".raspberrypi"],
    ["a dash behind", "raspberrypi-"],
    ["no ASCII", "raspberrypí4"],
  ])("a device type that is %s", async (_name, deviceType) => {
    const failure = await rejection(call(createTestManager(api).manager, any(deviceType), version));
    expect(failure).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining('"raspberrypi4-64"'), // an example of what would be right
    });
    expect((failure as Error).message).not.toMatch(/[\n\0]/);
    expect(api.counters.requests).toBe(0);
  });

  test.each<[string, unknown]>([
    ["null", null],
    ["a number", 6],
    ["an empty text", ""],
    ["blank", "  "],
    ["a path", "../../1.2.3"],
    ["a word", "foo"],
    ["a keyword in capitals", "LATEST"],
    ["two parts with a slash", "6.1.0/../../x"],
    ["a line end", "6.1.0\nx"],
    ["a query", "6.1.0&fileType=.img"],
    ["absurdly long", "6.1.0-".padEnd(5000, "a")],
    ["an absurd number", "99999999999999999999.0.0"],
  ])("a version that is %s", async (_name, wanted) => {
    const failure = await rejection(call(createTestManager(api).manager, slug, any(wanted)));
    expect(failure).toMatchObject({ code: "INVALID_VERSION" });
    expect((failure as Error).message.length).toBeLessThan(500);
    expect((failure as Error).message).not.toMatch(/\n/);
    expect(api.counters.requests).toBe(0);
  });

  test.each<[string, unknown]>([
    ["null", null],
    ["a text", "raw"],
  ])("options that are %s", async (_name, options) => {
    const failure = await rejection(call(createTestManager(api).manager, slug, version, any(options)));
    expect(failure).toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringMatching(/object/) });
  });
});

describe("what is not there", () => {
  test.each(["get", "prefetch", "resolve", "versions"] as const)(
    "%s of an unknown device type",
    async (name) => {
      const { manager } = createTestManager(api);
      const failure = await rejection(manager[name]("raspberrypi9"));
      expect(failure).toMatchObject({
        code: "DEVICE_TYPE_NOT_FOUND",
        deviceType: "raspberrypi9",
        message: expect.stringMatching(/raspberrypi9.*check the slug, or sign in/),
      });
    },
  );

  test.each([
    ["9.9.9", "6.1.0"],
    ["^7.0.0", "6.1.0"],
    ["2.60.1+rev9", "2.60.1+rev2.prod"],
    ["~2.61.0", "2.60.1+rev2.prod"],
  ])("%s is satisfied by nothing; the nearest is named", async (wanted, nearest) => {
    const { manager } = createTestManager(api);
    const failure = await rejection(manager.get(slug, wanted));
    expect(failure).toMatchObject({ code: "VERSION_NOT_FOUND", deviceType: slug, version: wanted });
    const named = (failure as { nearest?: string }).nearest;
    expect((failure as Error).message).toContain(`the nearest is ${named}`);
    expect([nearest, "6.2.0-beta.1", "2.88.4+rev1"]).toContain(named);
  });

  test("a device type without any release", async () => {
    const failure = await rejection(createTestManager(api).manager.get("no-release-yet"));
    expect(failure).toMatchObject({ code: "VERSION_NOT_FOUND", nearest: undefined });
  });

  test("recommended, if there are pre-releases alone", async () => {
    const failure = await rejection(createTestManager(api).manager.get("jetson-preview", "recommended"));
    expect(failure).toMatchObject({ code: "VERSION_NOT_FOUND" });
  });

  test("a download whose device type or version the upstream lists, but does not have", async () => {
    const { manager } = createTestManager(api);
    api.faults.refuse = { status: 404 };
    const failure = await rejection(manager.get(slug, version));
    expect(failure).toMatchObject({ code: "VERSION_NOT_FOUND", version });
  });
});

describe("options of get and prefetch", () => {
  test.each<[object, RegExp]>([
    [{ cache: "never" }, /"cache".*default.*only-if-cached/],
    [{ cache: null }, /"cache"/],
    [{ developmentMode: "yes" }, /"developmentMode" must be true or false/],
    [{ developmentMode: null }, /"developmentMode"/],
    [{ imageType: "zipped" }, /"imageType" must be "raw" or "flasher"/],
    [{ fileType: "img" }, /"fileType" must be "\.img", "\.zip" or "\.gz"/],
    [{ fileType: ".exe" }, /"fileType"/],
    [{ scope: "" }, /"scope"/],
    [{ scope: 5 }, /"scope"/],
    [{ appId: 0 }, /"appId" must be a positive integer/],
    [{ appId: "5" }, /"appId"/],
    [{ network: "lan" }, /"network" must be "ethernet" or "wifi"/],
    [{ wifiSsid: "" }, /"wifiSsid"/],
    [{ wifiSsid: "x".repeat(257) }, /"wifiSsid"/],
    [{ wifiKey: 5 }, /"wifiKey"/],
    [{ appUpdatePollInterval: 1.5 }, /"appUpdatePollInterval".*minutes/],
    ...[7, "", "10.0.0", "10.0.0.256", "10.0.0.05", "10.0.0.5\n", "10.0.0.5;x", "::1"].flatMap<
      [object, RegExp]
    >((ip) => [
      [{ ip }, /"ip" must be an IPv4 address/],
      [{ gateway: ip }, /"gateway" must be an IPv4 address/],
      [{ netmask: ip }, /"netmask" must be a prefix length/],
    ]),
    ...["0", "33", "024", 24, "0.0.0.0", "255.0.255.0"].map<[object, RegExp]>((netmask) => [
      { netmask },
      /"netmask" must be a prefix length/,
    ]),
    [{ provisioningKeyName: "" }, /"provisioningKeyName" must be a text of 1 to 256/],
    [
      { provisioningKeyDescription: "x".repeat(1001) },
      /"provisioningKeyDescription" must be a text of 1 to 1,000/,
    ],
    ...["tomorrow", "2030-13-01", "2030-01-31 & more", 1e12].map<[object, RegExp]>(
      (provisioningKeyExpiryDate) => [
        { provisioningKeyExpiryDate },
        /"provisioningKeyExpiryDate" must be a date/,
      ],
    ),
    [{ includeDrafts: "yes" }, /"includeDrafts" must be true or false/],
    [{ signal: {} }, /"signal" must be an AbortSignal/],
    [{ signal: null }, /"signal"/],
    [{ onProgress: true }, /"onProgress" must be a function/],
    [{ waitUntil: "later" }, /"waitUntil" must be a function/],
  ])("%o", async (options, message) => {
    const { manager } = createTestManager(api);
    for (const call of [manager.get, manager.prefetch]) {
      const failure = await rejection(call(slug, version, options as GetOptions));
      expect(failure).toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringMatching(message) });
    }
    expect(api.counters.requests).toBe(0);
  });

  test.each<[GetOptions, RegExp]>([
    [{ cache: "no-store" }, /no-store/],
    [{ range: { start: 0 } }, /range/],
    [{ wifiKey: "x" }, /credentials/],
  ])("prefetch with %o makes no sense", async (options, message) => {
    const failure = await rejection(createTestManager(api).manager.prefetch(slug, version, options));
    expect(failure).toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringMatching(message) });
  });

  test("prune and verify with options that are none", async () => {
    const { manager } = createTestManager(api);
    const refused = { code: "INVALID_ARGUMENT" };
    for (const options of [null, "x"]) {
      expect(await rejection(manager.prune(any(options)))).toMatchObject(refused);
      expect(await rejection(manager.verify(any(options)))).toMatchObject(refused);
    }
    expect(await rejection(manager.verify(any({ signal: {} })))).toMatchObject(refused);
  });

  test("versions with options that are none", async () => {
    const { manager } = createTestManager(api);
    for (const options of [null, "x", { includeDrafts: 1 }, { signal: {} }]) {
      expect(await rejection(manager.versions(slug, any(options)))).toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    }
  });
});

describe("errors", () => {
  test("are told apart by class, name, code and brand", async () => {
    const failure = await rejection(createTestManager(api).manager.get("x y"));
    expect(failure).toBeInstanceOf(ImageManagerError);
    expect(failure).toBeInstanceOf(Error);
    expect((failure as Error).name).toBe("InvalidArgumentError");
    expect(isImageManagerError(failure)).toBe(true);
    for (const other of [null, undefined, "x", {}, new Error("x"), { code: "STORE" }])
      expect(isImageManagerError(other)).toBe(false);
  });
});
