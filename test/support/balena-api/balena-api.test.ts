// The loopback API's catalog, driven by the real balena-sdk, and its plain downloads and counters.
import { crc32, gunzipSync, inflateRawSync } from "node:zlib";
import { getSdk } from "balena-sdk";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { downloadTraits, fixtureSlugs, foreignFleet, startBalenaApi } from "./index.ts";
import { rawRequest } from "./raw-request.ts";

const api = await startBalenaApi({ imageBytes: 1024 * 1024 });
afterAll(() => api.close());
beforeEach(() => {
  api.faults.reset();
  api.counters.reset();
});

const sdk = () => getSdk({ apiUrl: api.url, dataDirectory: false });
const signedIn = async (token = api.token) => {
  const client = sdk();
  await client.auth.loginWithToken(token);
  return client;
};
const download = (query = "", version = "6.1.0") =>
  `${api.url}/download?deviceType=raspberrypi4-64&version=${encodeURIComponent(version)}${query}`;
const image = api.image("raspberrypi4-64", "6.1.0");

describe("catalog through balena-sdk", () => {
  it("lists the versions of the table, with their lines", async () => {
    const versions = await sdk().models.os.getAvailableOsVersions("raspberrypi4-64");
    const byLine = Object.groupBy(versions, (version) => version.osType);
    expect(byLine["esr"]?.map((v) => v.raw_version)).toEqual(["2023.10.1", "2023.1.0", "2021.10.2.prod"]);
    expect(byLine["default"]?.map((v) => v.raw_version)).toEqual([
      ...["6.2.0-beta.1", "6.1.0", "6.0.10+rev1", "6.0.10", "2.88.4+rev1"],
      ...["2.60.1+rev2.prod", "2.60.1+rev1.prod", "2.60.1+rev1.dev"],
    ]);
  });

  it("adds drafts when they are asked for, and selects further fields", async () => {
    const fields = { $select: ["created_at", "is_final"] as ("created_at" | "is_final")[] };
    const { os } = sdk().models;
    const versions: object[] = await os.getAvailableOsVersions("raspberrypi4-64", fields, {
      includeDraft: true,
    });
    expect(versions.filter((version) => "is_final" in version && version.is_final === false)).toMatchObject([
      { raw_version: "6.3.0-1771234567890", created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) },
    ]);
  });

  it("leaves out fields that were not selected", async () => {
    const [first] = await sdk().models.os.getAvailableOsVersions("raspberrypi4-64");
    expect(first).not.toHaveProperty("created_at");
  });

  it("lists invalidated and failed releases only in getAllOsVersions", async () => {
    const all = await sdk().models.os.getAllOsVersions("raspberrypi4-64");
    expect(all.map((v) => v.raw_version)).toEqual(expect.arrayContaining(["6.0.9", "6.0.8"]));
  });

  it("takes new releases while it runs", async () => {
    api.releases.push({ deviceType: fixtureSlugs.empty, version: "1.2.3" });
    const versions = await sdk().models.os.getAvailableOsVersions(fixtureSlugs.empty);
    api.releases.pop();
    expect(versions.map((v) => v.raw_version)).toEqual(["1.2.3"]);
  });

  it.each([
    ["raspberry-pi4", "raspberrypi4-64"],
    ["nuc", "intel-nuc"],
    ["intel-nuc", "intel-nuc"],
  ])("resolves %s to %s", async (name, slug) => {
    expect((await sdk().models.deviceType.get(name, { $select: "slug" })).slug).toBe(slug);
  });

  it("knows no other device type", async () => {
    await expect(sdk().models.deviceType.get("nope")).rejects.toThrow("Invalid device type: nope");
    expect(await sdk().models.os.getAvailableOsVersions("nope")).toEqual([]);
  });

  it("shows the private device type to its account alone", async () => {
    const names = async (client: ReturnType<typeof sdk>) =>
      (await client.models.deviceType.getAll()).map((t) => t.slug);
    expect(await names(sdk())).not.toContain(fixtureSlugs.private);
    expect(await names(await signedIn())).toContain(fixtureSlugs.private);
    expect(await sdk().models.os.getAvailableOsVersions(fixtureSlugs.private)).toEqual([]);
    expect(await (await signedIn()).models.os.getAvailableOsVersions(fixtureSlugs.private)).toHaveLength(2);
  });

  it("gives a wrong token a guest's view, and says 401 only if it is asked who that is", async () => {
    const wrong = await signedIn("wrong");
    expect(await wrong.models.os.getAvailableOsVersions("intel-nuc")).toHaveLength(2);
    expect(await wrong.models.os.getAvailableOsVersions(fixtureSlugs.private)).toEqual([]);
    expect(await wrong.auth.whoami()).toBeUndefined();
    const headers = { authorization: "Bearer wrong" };
    const statusOf = async (path: string, method = "GET") =>
      (await rawRequest(`${api.url}${path}`, { headers, method })).status;
    for (const path of ["/user/v1/whoami", "/actor/v1/whoami"]) expect(await statusOf(path)).toBe(401);
    expect(await statusOf("/download-config", "POST")).toBe(401);
    expect(await statusOf("/device-types/v1")).toBe(200);
    expect((await rawRequest(download(), { headers, method: "HEAD" })).status).toBe(200);
  });

  it("shows guests a public type whose releases are private, and none of these", async () => {
    const slug = fixtureSlugs.privateReleases;
    expect((await sdk().models.deviceType.get(slug)).slug).toBe(slug);
    expect(await sdk().models.os.getAvailableOsVersions(slug)).toEqual([]);
    expect(await (await signedIn()).models.os.getAvailableOsVersions(slug)).toHaveLength(1);
  });

  it.each([
    ["ZE250", "intel-nuc"],
    ["odroid-u3+", "intel-nuc"],
    ["ze250", undefined],
  ])("has aliases with capitals and signs: %s is %s", async (alias, slug) => {
    const filter = `device_type_alias/any(dta:dta/is_referenced_by__alias eq '${encodeURIComponent(alias)}')`;
    const { body } = await rawRequest(
      `${api.url}/v7/device_type?$select=slug&$filter=${filter.replaceAll(" ", "%20")}`,
    );
    expect(JSON.parse(body.toString())).toEqual({ d: slug === undefined ? [] : [{ slug }] });
  });

  it("tags what it answers to a query, weakly, and knows it again", async () => {
    const url = `${api.url}/v7/device_type?$select=slug`;
    const { headers } = await rawRequest(url);
    expect(headers.etag).toMatch(/^W\/"/);
    const known = { "if-none-match": headers.etag! };
    expect(await rawRequest(url, { headers: known })).toMatchObject({ status: 304, body: Buffer.alloc(0) });
    // Node's fetch adds this to a request with If-None-Match.
    const fresh = { ...known, "cache-control": "no-cache" };
    expect((await rawRequest(url, { headers: fresh })).status).toBe(200);
    expect((await rawRequest(url, { method: "HEAD" })).status).toBe(500);
    expect((await rawRequest(`${api.url}/v7/secret_thing`)).status).toBe(401);
  });

  it.each([
    [404, "/device-types/v1/nope", "Unknown device type nope"],
    [404, "/device-types/v1/nuc/images/9.9.9/download-size", "Device nuc not found for 9.9.9 version"],
    [400, "/device-types/v1/odroid-u3+", "Invalid device type"],
    [401, "/user/v1/whoami", "Unauthorized"],
    [404, "/download?deviceType=nuc&version=9.9.9", "Device nuc not found for 9.9.9 version"],
    [
      404,
      `/download?deviceType=nuc&version=6.3.2&appId=${foreignFleet}`,
      "You do not have permission to access this application",
    ],
  ])("refuses with %i and words for people: %s", async (status, path, words) => {
    const answer = await rawRequest(api.url + path);
    expect(answer.status).toBe(status);
    expect(answer.headers["content-type"]).toContain("application/json");
    expect(JSON.parse(answer.body.toString())).toBe(words);
  });

  it("says how a device type's image is configured, and which image types it has", async () => {
    const { body } = await rawRequest(`${api.url}/device-types/v1/nuc`);
    expect(JSON.parse(body.toString())).toMatchObject({
      slug: "intel-nuc",
      yocto: { deployArtifact: expect.stringContaining("flasher"), deployRawArtifact: expect.any(String) },
      configuration: { config: { partition: { primary: 1 }, path: "/config.json" } },
    });
  });

  it("makes a fleet's config for its account, with a new key each time", async () => {
    const ask = async (appId: number) =>
      fetch(`${api.url}/download-config`, {
        method: "POST",
        headers: { authorization: `Bearer ${api.token}`, "content-type": "application/json" },
        body: JSON.stringify({ appId, deviceType: "intel-nuc", version: "6.3.2", wifiKey: "k" }),
      });
    const [one, two] = [await (await ask(5)).json(), await (await ask(5)).json()];
    expect(one).toMatchObject({ applicationId: 5, deviceType: "intel-nuc", wifiKey: "k" });
    expect(one.apiKey).toMatch(/^[0-9a-f]{32}$/);
    expect(two.apiKey).not.toBe(one.apiKey);
    expect((await ask(foreignFleet)).status).toBe(404);
  });

  it("says who the token is", async () => {
    expect(await (await signedIn()).auth.getUserInfo()).toMatchObject({ id: 42, username: "tester" });
    expect(await sdk().auth.whoami()).toBeUndefined();
  });

  it("gives the size of the .gz less its head and tail as download size, none of an ESR line, or what it is told to", async () => {
    const { headers } = await rawRequest(download("&fileType=.gz"));
    const sizeOf = (version: string) => sdk().models.os.getDownloadSize("raspberrypi4-64", version);
    expect(await sizeOf("6.1.0")).toBe(Number(headers["content-length"]) - 20);
    await expect(sizeOf("2023.10.1")).rejects.toMatchObject({ statusCode: 404 });
    api.faults.downloadSize = 5;
    expect(await sdk().models.os.getDownloadSize("nuc", "6.4.0+rev1")).toBe(5);
    await expect(sdk().models.os.getDownloadSize("nuc", "9.9.9")).rejects.toMatchObject({ statusCode: 404 });
  });

  it("answers a filter that it does not understand with 400", async () => {
    const response = await rawRequest(`${api.url}/v7/device_type?$filter=contains(slug,'x')`);
    expect(response.status).toBe(400);
  });

  it("fails metadata as told, a limited number of times", async () => {
    api.faults.metadata.refuse = { status: 503, retryAfter: 7, skip: 1, times: 1 };
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push(await rawRequest(`${api.url}/device-types/v1`));
    expect(statuses.map((r) => r.status)).toEqual([200, 503, 200]);
    expect(statuses[1]?.headers["retry-after"]).toBe("7");
    api.faults.metadata.lose = { times: 1 };
    await expect(rawRequest(`${api.url}/device-types/v1`)).rejects.toMatchObject({ code: "ECONNRESET" });
  });
});

describe("download", () => {
  it("sends .gz as a plain file of known length, without ranges and validators", async () => {
    const headers = { "accept-encoding": "gzip", range: "bytes=5-9", "if-none-match": "*" };
    const response = await rawRequest(download("&fileType=.gz"), { headers });
    expect(response.status).toBe(200);
    expect(response.headers["content-type"]).toBe("application/octet-stream");
    for (const name of ["content-encoding", "accept-ranges", "etag", "last-modified"])
      expect(response.headers).not.toHaveProperty(name);
    expect(response.headers["content-length"]).toBe(String(await image.gzBytes()));
    expect(Buffer.compare(gunzipSync(response.body), image.bytes())).toBe(0);
    const head = await rawRequest(download("&fileType=.gz"), { method: "HEAD" });
    expect(head).toMatchObject({ status: 200, body: Buffer.alloc(0) });
    expect(head.headers["content-length"]).toBe(response.headers["content-length"]);
  });

  it("has ranges and validators when told to", async () => {
    Object.assign(api.faults, downloadTraits["with-validators"]);
    const { headers } = await rawRequest(download("&fileType=.gz"), { method: "HEAD" });
    expect(headers["accept-ranges"]).toBe("bytes");
    expect(headers.etag).toMatch(/^"[^"]+"$/);
    expect(Date.parse(headers["last-modified"] ?? "")).not.toBeNaN();
    api.faults.reset();
    expect((await rawRequest(download(), { method: "HEAD" })).headers).not.toHaveProperty("etag");
  });

  it("sends a raw image as it is, or gzipped on the fly to who takes that", async () => {
    const plain = await rawRequest(download("&fileType=.img"));
    expect(Buffer.compare(plain.body, image.bytes())).toBe(0);
    const coded = await rawRequest(download(), { headers: { "accept-encoding": "compress, gzip" } });
    expect(coded.headers).toMatchObject({
      "content-encoding": "gzip",
      "x-transfer-length": String(coded.body.length),
    });
    expect(coded.headers["content-length"]).toBeUndefined();
    expect(Buffer.compare(gunzipSync(coded.body), image.bytes())).toBe(0);
    const declined = await rawRequest(download(), { headers: { "accept-encoding": "gzip;q=0, identity" } });
    expect(declined.headers["content-encoding"]).toBeUndefined();
  });

  it("sends .gz in several members when told to", async () => {
    api.faults.gzipMembers = 3;
    const { body } = await rawRequest(download("&fileType=.gz"));
    const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
    expect(body.toString("latin1").split(header.toString("latin1"))).toHaveLength(4);
    expect(Buffer.compare(gunzipSync(body), image.bytes())).toBe(0);
  });

  it("sends .zip as an archive of the image", async () => {
    const { body, headers } = await rawRequest(download("&fileType=.zip"));
    expect(headers["content-type"]).toBe("application/zip");
    const start = 30 + body.readUInt16LE(26);
    const inflated = inflateRawSync(body.subarray(start, start + body.readUInt32LE(18)));
    expect(Buffer.compare(inflated, image.bytes())).toBe(0);
    const directory = body.readUInt32LE(body.length - 6);
    expect(body.readUInt32LE(directory)).toBe(0x02014b50);
    expect(body.readUInt32LE(directory + 16)).toBe(crc32(image.bytes()));
    expect(body.subarray(directory + 46, body.length - 22).toString()).toBe("image.img");
  });

  it("keeps variants apart, takes aliases, and answers HEAD", async () => {
    api.faults.etag = "strong";
    const [production, development] = [
      await rawRequest(download()),
      await rawRequest(download("&developmentMode=true")),
    ];
    expect(development.headers.etag).not.toBe(production.headers.etag);
    const expected = await api.image("raspberrypi4-64", "6.1.0", { developmentMode: true }).content();
    expect(Buffer.compare(development.body, expected)).toBe(0);
    const alias = await rawRequest(download().replace("raspberrypi4-64", "raspberry-pi4"), {
      method: "HEAD",
    });
    expect(alias.headers).toMatchObject({ etag: production.headers.etag, "content-length": "1048576" });
    expect(alias.body).toHaveLength(0);
  });

  it.each([
    [404, download("", "9.9.9")],
    [404, download("&imageType=raw")],
    [404, download("&imageType=flasher")],
    [404, download("&imageType=flasher").replace("raspberrypi4-64", "intel-nuc").replace("6.1.0", "6.3.2")],
    [200, download("&imageType=raw").replace("raspberrypi4-64", "intel-nuc").replace("6.1.0", "6.3.2")],
    [404, download().replace("raspberrypi4-64", "nope")],
    [404, `${api.url}/download?deviceType=${fixtureSlugs.private}&version=6.1.1`],
    [400, download("&fileType=.iso")],
    [404, `${api.url}/nothing-here`],
  ])("answers %i for %s", async (status, url) => {
    expect((await rawRequest(url)).status).toBe(status);
  });

  it("gives a private image to its account", async () => {
    const url = `${api.url}/download?deviceType=${fixtureSlugs.private}&version=6.1.1`;
    expect((await rawRequest(url, { headers: { authorization: `Bearer ${api.token}` } })).status).toBe(200);
  });

  it("comes through the SDK's own download too", async () => {
    const stream = await sdk().models.os.download({ deviceType: "nuc", version: "6.4.0+rev1" });
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(Buffer.from(chunk));
    expect(Buffer.compare(Buffer.concat(chunks), api.image("intel-nuc", "6.4.0+rev1").bytes())).toBe(0);
  });
});

describe("counters", () => {
  it("count requests, transfers, bytes and answers, and log them", async () => {
    api.faults.etag = "strong";
    await rawRequest(`${api.url}/device-types/v1`);
    const { headers, body } = await rawRequest(download());
    await rawRequest(download(), { headers: { "if-none-match": headers.etag! } });
    await rawRequest(download(), { method: "HEAD" });
    await rawRequest(download("", "9.9.9"));
    expect(api.counters).toMatchObject({
      requests: 5,
      metadataRequests: 1,
      downloads: 4,
      transfers: 1,
      notModified: 1,
    });
    expect(api.counters.bytesSent).toBe(body.length);
    expect(api.counters.requestLog.map((r) => `${r.method} ${r.status}`)).toEqual([
      ...["GET 200", "GET 200", "GET 304", "HEAD 200", "GET 404"],
    ]);
    api.counters.reset();
    expect(api.counters).toMatchObject({ requests: 0, bytesSent: 0, requestLog: [] });
  });

  it("count open downloads until the client leaves", async () => {
    api.faults.stall = { atPercent: 50 };
    const leaving = new AbortController();
    const response = await fetch(download("&fileType=.gz"), { signal: leaving.signal });
    expect(response.status).toBe(200);
    expect(api.counters.openConnections).toBe(1);
    leaving.abort();
    await expect.poll(() => api.counters.openConnections).toBe(0);
  });
});
