// The drop-in: version 10's documented usage and behaviours, by the functions of the process, with no configuration but balena's settings.
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import {
  cleanCache,
  get,
  type ImageReadable,
  isESR,
  resolveVersion,
  validateVersion,
} from "../../src/adapters/v10/index.ts";
import { isImageManagerError } from "../../src/core/index.ts";
import { rejection, sha256 } from "../support/collect.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";

// Says who inflates: the fast inflater is made of these, `DecompressionStream` is not.
const gunzips = vi.hoisted(() => ({ made: 0 }));
vi.mock("node:zlib", async (importOriginal) => {
  const zlib = await importOriginal<typeof import("node:zlib")>();
  const createGunzip: typeof zlib.createGunzip = (options) => {
    gunzips.made += 1;
    return zlib.createGunzip(options);
  };
  return { ...zlib, createGunzip };
});

const api = await sharedApi();
const image = api.image(slug, version);

// The SDK reads the settings once, when it is first needed.
const dataDirectory = await mkdtemp(join(tmpdir(), "drop-in-"));
const cacheDirectory = join(dataDirectory, "cache");
process.env["BALENARC_DATA_DIRECTORY"] = dataDirectory;
process.env["BALENARC_CACHE_DIRECTORY"] = cacheDirectory;
process.env["BALENARC_API_URL"] = api.url;
afterAll(() => rm(dataDirectory, { recursive: true }));
beforeEach(cleanCache);

const versionEvent = "balena-image-manager:resolved-version";

/** What version 10's callers wrote: listeners, attached once the promise has resolved. */
async function drain(stream: Readable): Promise<Buffer> {
  const pieces: Buffer[] = [];
  stream.on("data", (piece: Buffer) => pieces.push(piece));
  await new Promise((resolve, reject) => {
    stream.on("end", resolve);
    stream.on("error", reject);
  });
  return Buffer.concat(pieces);
}

async function eventsOf(stream: ImageReadable) {
  const progress: unknown[] = [];
  const versions: string[] = [];
  stream.on("progress", (state) => progress.push(state));
  stream.on(versionEvent, (resolved) => versions.push(resolved));
  await drain(stream);
  return { progress, versions };
}

describe("get resolves to a Node stream", () => {
  test("of the image, raw", async () => {
    const stream = await get(slug, version);
    expect(stream).toBeInstanceOf(Readable);
    expect(sha256(await drain(stream))).toBe(await image.sha256);
  });

  test("inflated by the fast inflater", async () => {
    const before = gunzips.made;
    await drain(await get(slug, version));
    expect(gunzips.made).toBe(before + 1);
  });

  test("that can be piped to a file", async () => {
    const file = join(dataDirectory, "balena.img");
    await pipeline(await get(slug, version), createWriteStream(file));
    expect(sha256(await readFile(file))).toBe(await image.sha256);
  });

  test("that can be piped to several places", async () => {
    const stream = await get(slug, version);
    const targets = [new PassThrough(), new PassThrough()];
    for (const target of targets) stream.pipe(target);
    const digests = (await Promise.all(targets.map(drain))).map(sha256);
    expect(digests).toEqual([await image.sha256, await image.sha256]);
  });

  test("that waits for a reader who comes late", async () => {
    const stream = await get(slug, version);
    await drain(await get(slug, version)); // by then another stream, made later, has been read to its end
    const late = new PassThrough();
    stream.pipe(late);
    expect(sha256(await drain(late))).toBe(await image.sha256);
  });

  test("whose pieces are Buffers", async () => {
    for await (const piece of await get(slug, version)) expect(Buffer.isBuffer(piece)).toBe(true);
  });

  test.each([
    [undefined, "application/octet-stream"],
    [".gz", "application/octet-stream"],
    [".zip", "application/zip"],
  ] as const)("with its mime: fileType %s is %s, downloaded and cached", async (fileType, mime) => {
    for (const transfers of [1, 1]) {
      const stream = await get(slug, version, { fileType });
      expect(stream.mime).toBe(mime);
      await drain(stream);
      expect(api.counters.transfers).toBe(transfers);
    }
  });
});

describe("get keeps a copy", () => {
  test("and streams it the next time, downloading nothing", async () => {
    await drain(await get(slug, version));
    api.counters.reset();
    expect(sha256(await drain(await get(slug, version)))).toBe(await image.sha256);
    expect(api.counters).toMatchObject({ downloads: 1, transfers: 0 });
  });

  test("in the cacheDirectory of balena's settings", async () => {
    await drain(await get(slug, version));
    const files = await readdir(cacheDirectory, { recursive: true });
    expect(files.filter((name) => /chunks.*\.bin$/.test(name)).length).toBeGreaterThan(0);
    expect(await readdir(cacheDirectory)).toEqual(["balena-image-manager"]);
  });

  test("and downloads it again once it has changed upstream", async () => {
    await drain(await get(slug, version));
    api.faults.change = { content: true, validators: true };
    const changed = api.image(slug, version, {}, 1);
    expect(sha256(await drain(await get(slug, version)))).toBe(await changed.sha256);
  });

  test("until cleanCache", async () => {
    await drain(await get(slug, version));
    await cleanCache();
    api.counters.reset();
    await drain(await get(slug, version));
    expect(api.counters.transfers).toBe(1);
  });

  test("apart from files of version 10, which are neither read nor deleted", async () => {
    const old = join(cacheDirectory, `${slug}-v${version}.img`);
    await mkdir(cacheDirectory, { recursive: true });
    await writeFile(old, "an image of version 10");
    expect(sha256(await drain(await get(slug, version)))).toBe(await image.sha256);
    await cleanCache();
    expect(await readFile(old, "utf8")).toBe("an image of version 10");
    await rm(old);
  });

  test("cleanCache may be called if nothing is kept", async () => {
    await rm(cacheDirectory, { recursive: true, force: true });
    await expect(cleanCache()).resolves.toBeUndefined();
  });
});

describe("what get takes", () => {
  test.each([undefined, null, "latest"])("%s is the latest version, pre-releases too", async (wanted) => {
    const { versions } = await eventsOf(await get(slug, wanted));
    expect(versions).toEqual(["6.2.0-beta.1"]);
  });

  test("an alias of the device type", async () => {
    expect(sha256(await drain(await get("raspberry-pi4", version)))).toBe(await image.sha256);
  });

  test("null for no options", async () => {
    expect(sha256(await drain(await get(slug, version, null)))).toBe(await image.sha256);
  });

  test("the options of version 10, as query parameters of the download", async () => {
    const options = {
      developmentMode: true,
      appId: 5,
      fileType: ".zip",
      imageType: "raw",
      appUpdatePollInterval: 20,
      network: "wifi",
      wifiSsid: "my net",
      wifiKey: "secret",
    } as const;
    await drain(await get("intel-nuc", "6.3.2", options));
    const { url } = api.counters.requestLog.find((request) => request.url.startsWith("/download"))!;
    expect(Object.fromEntries(new URL(url, api.url).searchParams)).toEqual({
      deviceType: "intel-nuc",
      version: "6.3.2",
      ...Object.fromEntries(Object.entries(options).map(([name, value]) => [name, String(value)])),
    });
  });

  test("developmentMode, whose image is another one", async () => {
    await drain(await get(slug, version));
    const development = api.image(slug, version, { developmentMode: true });
    expect(sha256(await drain(await get(slug, version, { developmentMode: true })))).toBe(
      await development.sha256,
    );
  });

  test("a signal, which destroys the stream", async () => {
    const abort = new AbortController();
    const stream = await get(slug, version, { signal: abort.signal });
    const draining = rejection(drain(stream));
    abort.abort(new Error("enough"));
    expect(await draining).toMatchObject({ message: "enough" });
    expect(stream.destroyed).toBe(true);
  });
});

describe("events", () => {
  test("a download ends with progress of 100 %, a cached image tells none", async () => {
    const { progress } = await eventsOf(await get(slug, version));
    expect(progress.at(-1)).toEqual({ percentage: 100, total: image.size, received: image.size, eta: 0 });
    expect(await eventsOf(await get(slug, version))).toEqual({ progress: [], versions: [version] });
  });

  test("the resolved version is told once, downloaded and cached", async () => {
    for (let round = 0; round < 2; round++) {
      const { versions } = await eventsOf(await get(slug, "~6.0.0"));
      expect(versions).toEqual(["6.0.10+rev1"]);
    }
  });
});

// As version 10 resolved them, tried against the same API.
describe("resolveVersion, as version 10", () => {
  test.each([
    ["6.0.10", "6.0.10"],
    ["2.88.4", "2.88.4+rev1"],
    ["2.60.1", "2.60.1+rev2.prod"],
    ["2.60.1+rev1.prod", "2.60.1+rev1.prod"],
    ["6.1", "6.1.0"],
    ["^6.0.0", "6.1.0"],
    ["*", "6.1.0"],
    [">=2.0.0", "6.1.0"],
    ["~2.60.0", "2.60.1+rev2.prod"],
    ["^6.2.0-alpha", "6.2.0-beta.1"],
    [">=6.1.0-0", "6.1.0"],
    ["latest", "6.2.0-beta.1"],
    ["recommended", "6.1.0"],
    ["default", "6.1.0"],
    ["2023.1.0", "2023.1.0"],
    ["2021.10.2", "2021.10.2.prod"],
  ])("%s is %s", async (wanted, exact) => expect(await resolveVersion(slug, wanted)).toBe(exact));

  test.each(["latest", "default"])("%s is the newest if there are only pre-releases", async (wanted) =>
    expect(await resolveVersion("jetson-preview", wanted)).toBe("7.0.0-2"),
  );
});

// What the guide for migrating lists as different.
describe("resolveVersion, unlike version 10", () => {
  test.each([
    [slug, "v6.0.10", "6.0.10"],
    [slug, "2.60.1+rev1", "2.60.1+rev1.prod"],
    [slug, "v2.60.1+rev1.prod", "2.60.1+rev1.prod"],
    [slug, "2.60.1.dev", "2.60.1+rev1.dev"],
    [slug, "2023.x", "2023.10.1"],
    [slug, "^2023.1.0", "2023.10.1"],
    [slug, undefined, "6.2.0-beta.1"],
    [slug, null, "6.2.0-beta.1"],
    ["generic-aarch64-esr", "latest", "2023.10.1"],
    ["generic-aarch64-esr", "default", "2023.10.1"],
  ])("%s %s is %s", async (deviceType, wanted, exact) =>
    expect(await resolveVersion(deviceType, wanted)).toBe(exact),
  );
});

const noSuchVersion = "No such version for the device type";

describe("errors have the messages of version 10, and codes", () => {
  test.each([
    [slug, "9.9.9", "VERSION_NOT_FOUND"],
    [slug, "^9.0.0", "VERSION_NOT_FOUND"],
    [slug, "2.60.1+rev9", "VERSION_NOT_FOUND"],
    [slug, "foo", "INVALID_VERSION"],
    [slug, "LATEST", "INVALID_VERSION"],
    [slug, "../../1.2.3", "INVALID_VERSION"],
    [slug, "", "INVALID_VERSION"],
    [slug, " 6.1.0", "INVALID_VERSION"],
    ["jetson-preview", "recommended", "VERSION_NOT_FOUND"],
    ["no-release-yet", "latest", "VERSION_NOT_FOUND"],
  ])("%s %s: no such version, %s", async (deviceType, wanted, code) => {
    for (const call of [get, resolveVersion]) {
      const error = await rejection(call(deviceType, wanted));
      expect(error).toMatchObject({ message: noSuchVersion, code, version: wanted, cause: { code } });
      expect(isImageManagerError(error)).toBe(true);
    }
  });

  test("a version that is not there names the nearest", async () => {
    expect(await rejection(get(slug, "6.0.11"))).toMatchObject({
      nearest: expect.stringMatching(/^6\./),
      cause: { message: expect.stringContaining("the nearest is") },
    });
  });

  test.each([
    ["nope", "DEVICE_TYPE_NOT_FOUND"],
    ["acme-gateway", "DEVICE_TYPE_NOT_FOUND"],
    ["../../x", "INVALID_ARGUMENT"],
    [undefined, "INVALID_ARGUMENT"],
  ])("%s: invalid device type, %s", async (deviceType, code) => {
    for (const call of [get, resolveVersion]) {
      expect(await rejection(call(deviceType as string, "latest"))).toMatchObject({
        message: `Invalid device type: ${deviceType}`,
        code,
      });
    }
  });

  test("a device type that could forge a line of a log is not repeated", async () => {
    const error = (await rejection(get("x\nroot logged in", "latest"))) as Error;
    expect(error.message).not.toContain("\n");
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("an option of the wrong type is named, as version 10 did not", async () => {
    const error = await rejection(get(slug, version, { developmentMode: "yes" as never }));
    expect(error).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: '"developmentMode" must be true or false',
    });
  });

  test("an API that wants a login", async () => {
    api.faults.metadata.refuse = { status: 401 };
    expect(await rejection(get(slug, "^6.0.0"))).toMatchObject({
      message: "You have to log in",
      code: "UNAUTHORIZED",
      status: 401,
    });
  });

  test("an API that refuses", async () => {
    api.faults.metadata.refuse = { status: 403 };
    expect(await rejection(get(slug, "^6.0.0"))).toMatchObject({
      message: "Request error: Forbidden",
      code: "UNAUTHORIZED",
      cause: { cause: { statusCode: 403 } },
    });
  });

  test("an image that is listed but not there", async () => {
    api.faults.refuse = { status: 404 };
    expect(await rejection(get(slug, version))).toMatchObject({
      message: noSuchVersion,
      code: "VERSION_NOT_FOUND",
    });
  });
});

describe("isESR", () => {
  test.each([
    ["2018.1.0", true],
    ["2023.10.1", true],
    ["v2023.1.0", true],
    ["2023.1.0-foo", true],
    ["2021.10.2.prod", true],
    ["2017.9.9", false],
    ["6.1.0", false],
    ["2023.x", false],
    ["^2023.1.0", false],
    ["x2023.1.0", false],
    ["latest", false],
    ["", false],
  ])("%s: %s", (text, expected) => expect(isESR(text)).toBe(expected));
});

describe("validateVersion", () => {
  test.each(["6.1.0", "v6.1.0", "2.0.0.rev1", "2.60.1+rev1.prod", "2021.10.2.prod", "6.2.0-beta.1"])(
    "takes %s",
    (text) => expect(validateVersion(text)).toBeUndefined(),
  );

  test.each(["", "6.1", "latest", "foo", undefined, null])("throws for %s, as version 10", (text) =>
    expectInvalid(text),
  );

  test.each(["^6.1.0", "../../1.2.3", "1.2.3foo"])("throws for %s, unlike version 10", (text) =>
    expectInvalid(text),
  );

  function expectInvalid(text: unknown) {
    expect(() => validateVersion(text as string)).toThrow(
      expect.objectContaining({ message: "Invalid version number", code: "INVALID_VERSION" }),
    );
  }
});
