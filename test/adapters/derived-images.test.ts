// What balena sources write into plain images, beside what balena's image maker writes: read by balena's own reader.
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { bootConfigIn, isWanted } from "../../src/adapters/balena/boot-config.ts";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { balenaSdkSource } from "../../src/adapters/balena-sdk/index.ts";
import { bootFiles } from "../../src/adapters/boot-files/index.ts";
import type { ImageEdit, ImageVariant } from "../../src/core/index.ts";
import { rejection } from "../support/collect.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { listed, read } from "./boot-files/disks.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024 });
const plain = new Uint8Array(api.image(slug, version).bytes());
const own = { deviceType: slug, persistentLogging: true, localMode: false };
const MiB = 1024 * 1024;

/** What an edit makes of an image. */
async function applied(edit: ImageEdit, disk: Uint8Array) {
  const { signal } = new AbortController();
  const spans = await edit({ size: disk.length, signal, read: async (start, end) => disk.slice(start, end) });
  const copy = disk.slice();
  for (const { start, bytes } of spans) copy.set(bytes, start);
  return { disk: copy, spans };
}

/** The image that a source makes. */
async function derivedImage(
  variant: ImageVariant,
  options: Parameters<typeof balenaApiSource>[0] = {},
  disk = plain,
) {
  const source = balenaApiSource({ apiUrl: api.url, token: api.token, ...options });
  const image = { deviceType: slug, version, variant, fileType: ".gz" } as const;
  return applied((await source.derive!(image))!.edit, disk);
}

/** The image that the loopback API's image maker makes, which etcher-sdk judges elsewhere. */
async function madeImage(variant: ImageVariant): Promise<Uint8Array> {
  const query = Object.entries(variant).map(([name, value]) => [name, String(value)]);
  const parameters = new URLSearchParams([
    ["deviceType", slug],
    ["version", version],
    ["fileType", ".gz"],
    ...(query as [string, string][]),
  ]);
  const response = await fetch(`${api.url}/download?${parameters}`, {
    headers: { authorization: `Bearer ${api.token}` },
  });
  return new Uint8Array(gunzipSync(await response.arrayBuffer()));
}

const configOf = async (disk: Uint8Array) => JSON.parse(await read(disk, "/config.json"));
const connections = async (disk: Uint8Array) =>
  Object.fromEntries(
    await Promise.all(
      (await listed(disk, "/system-connections")).map(async (name) => [
        name,
        await read(disk, `/system-connections/${name}`),
      ]),
    ),
  );

describe.each<[string, ImageVariant]>([
  ["for development", { developmentMode: true }],
  ["with Wi-Fi", { network: "wifi", wifiSsid: "Café 7", wifiKey: "correct horse" }],
  ["with an open Wi-Fi", { network: "wifi", wifiSsid: "open" }],
  [
    "with a fixed address",
    {
      ...{ network: "wifi", wifiSsid: "home", wifiKey: "correct horse" },
      ...{ ip: "10.0.0.5", netmask: "255.255.255.0", gateway: "10.0.0.1" },
    },
  ],
  ["with an interval", { appUpdatePollInterval: 15, developmentMode: true }],
])("an image %s", (_, variant) => {
  test("has the files that the image maker's has; config.json keeps the image's own keys", async () => {
    const [ours, theirs] = [(await derivedImage(variant)).disk, await madeImage(variant)];
    expect(await connections(ours)).toEqual(await connections(theirs));
    expect(await configOf(ours)).toEqual({ ...own, ...(await configOf(theirs)) });
    expect(await listed(ours, "/")).toEqual(await listed(theirs, "/"));
  });

  test("is the same bytes each time, and differs from the plain one in a few sectors of its boot partition", async () => {
    const { disk, spans } = await derivedImage(variant);
    expect(Buffer.compare((await derivedImage(variant)).disk, disk)).toBe(0);
    expect(spans.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThanOrEqual(64 * 1024);
    expect(spans.length).toBeGreaterThan(0);
  });
});

describe("an image of a fleet", () => {
  test("has the fleet's config.json over its own, with a key that no other has", async () => {
    const [one, other] = [await derivedImage({ appId: 12 }), await derivedImage({ appId: 12 })];
    const [config, another] = [await configOf(one.disk), await configOf(other.disk)];
    expect(config).toMatchObject({ ...own, applicationId: 12, apiEndpoint: expect.any(String) });
    expect(config.apiKey).toMatch(/^[0-9a-f]{32}$/);
    expect(another.apiKey).not.toBe(config.apiKey);
  });

  test("can be made many times of one config.json", async () => {
    const source = balenaSdkSource({ apiUrl: api.url, token: api.token });
    const config = await source.config({ deviceType: slug, version, variant: { appId: 12 } });
    const edit = bootFiles({ "config.json": config });
    const [one, other] = [await applied(edit, plain), await applied(edit, plain)];
    expect(Buffer.compare(one.disk, other.disk)).toBe(0);
    expect(await configOf(one.disk)).toEqual({ ...own, ...config });
  });

  test("asks for the provisioning key as it is wished for, and tells the API no Wi-Fi", async () => {
    const bodies: unknown[] = [];
    const recorded: typeof fetch = async (url, init) => {
      if (init?.body) bodies.push(JSON.parse(String(init.body)));
      return fetch(url, init);
    };
    const key = {
      provisioningKeyName: "line 7",
      provisioningKeyDescription: "for the station",
      provisioningKeyExpiryDate: "2030-01-31",
    };
    const wifi = { network: "wifi", wifiSsid: "a", wifiKey: "correct horse" } as const;
    await derivedImage({ appId: 12, developmentMode: true, ...key, ...wifi }, { fetch: recorded });
    expect(bodies).toEqual([
      { appId: 12, deviceType: slug, version, network: "ethernet", developmentMode: true, ...key },
    ]);
  });
});

describe("the boot partition", () => {
  const answering = (deviceType: unknown): typeof fetch => {
    const answer: typeof fetch = async (url, init) =>
      String(url).includes("/device-types/") ? Response.json(deviceType) : fetch(url, init);
    return answer;
  };

  test.each([
    ["of another number than the device type's today", { configuration: { config: { partition: 3 } } }],
    ["of a number that the image does not have", { configuration: { config: { partition: 9 } } }],
  ])("%s is found by its config.json", async (_, deviceType) => {
    const { disk } = await derivedImage({ developmentMode: true }, { fetch: answering(deviceType) });
    expect(await configOf(disk)).toEqual({ ...own, developmentMode: true });
  });

  test("of an image that has none is EDIT", async () => {
    const empty = new Uint8Array(2 * MiB);
    expect(await rejection(derivedImage({ developmentMode: true }, {}, empty))).toMatchObject({
      code: "EDIT",
      reason: "no-boot-partition",
    });
  });

  test("files are copied in it as the device type says, if the configuration has that value", async () => {
    const copy = (to: string, when?: object) => ({
      command: "copy",
      from: { partition: { primary: 1 }, path: "/device-type.json" },
      to: { partition: { primary: 1 }, path: to },
      ...(when && { when }),
    });
    const operations = [
      copy("/always.json"),
      copy("/dev.json", { developmentMode: true }),
      copy("/fleet.json", { applicationId: 12 }),
    ];
    const configuration = { config: { partition: { primary: 1 }, path: "/config.json" }, operations };
    const { disk } = await derivedImage({ developmentMode: true }, { fetch: answering({ configuration }) });
    for (const name of ["always.json", "dev.json"])
      expect(await read(disk, `/${name}`)).toBe(await read(plain, "/device-type.json"));
    expect(await listed(disk, "/")).not.toContain("fleet.json");
  });

  test("a file that is to be copied and is not there is EDIT", async () => {
    const place = { partition: 1, path: "/nowhere" };
    const configuration = { config: { partition: 1 }, operations: [{ from: place, to: place }] };
    const attempt = derivedImage({ developmentMode: true }, { fetch: answering({ configuration }) });
    expect(await rejection(attempt)).toMatchObject({ code: "EDIT", reason: "damaged" });
  });
});

describe("what device-type.json says", () => {
  const config = { partition: { primary: 1 }, path: "/config.json" };
  const copy = { command: "copy", from: { partition: 1, path: "/a" }, to: { partition: 1, path: "/b" } };

  test.each<[string, unknown, number | undefined]>([
    ["a primary partition", { configuration: { config } }, 1],
    ["a number", { configuration: { config: { partition: 7 } } }, 7],
    ["a logical partition", { configuration: { config: { partition: { primary: 4, logical: 1 } } } }, 5],
    ["copies within the partition", { configuration: { config, operations: [copy] } }, 1],
    ["an archive", { yocto: { archive: true }, configuration: { config } }, undefined],
    ["an image among several", { configuration: { config: { ...config, image: "a.ext4" } } }, undefined],
    ["another path", { configuration: { config: { ...config, path: "/boot/config.json" } } }, undefined],
    ["no configuration", {}, undefined],
    ["no partition", { configuration: { config: { path: "/config.json" } } }, undefined],
    [
      "a copy to another partition",
      { configuration: { config, operations: [{ ...copy, to: { partition: 2, path: "/b" } }] } },
      undefined,
    ],
    [
      "something else than a copy",
      { configuration: { config, operations: [{ ...copy, command: "run-script" }] } },
      undefined,
    ],
    ["operations that are no list", { configuration: { config, operations: {} } }, undefined],
    ["nothing", null, undefined],
  ])("%s", (_, deviceType, partition) => {
    expect(bootConfigIn(deviceType)?.partition).toBe(partition);
  });

  test("an operation is wanted if all its values are there", () => {
    const operation = { from: "/a", to: "/b", when: { network: "wifi", processor: 7 } };
    expect(isWanted(operation, { network: "wifi", processor: 7, other: 1 })).toBe(true);
    expect(isWanted(operation, { network: "wifi" })).toBe(false);
    expect(isWanted(operation, { network: "wifi", processor: "7" })).toBe(false);
  });
});

test.each(["here", 7, null])("configure: %s is INVALID_ARGUMENT", (configure) => {
  for (const source of [balenaApiSource, balenaSdkSource])
    expect(() => source({ apiUrl: api.url, configure } as never)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining('"configure"') }),
    );
});
