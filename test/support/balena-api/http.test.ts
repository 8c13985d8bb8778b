// Refusals, redirects, ranges and validators of the loopback API, as a bare HTTP client sees them.
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { defaultLastModified, startBalenaApi } from "./index.ts";
import { rawRequest } from "./raw-request.ts";

const api = await startBalenaApi({ imageBytes: 1024 * 1024, downloads: "with-validators" });
const url = `${api.url}/download?deviceType=raspberrypi4-64&version=6.1.0`;
const raw = Buffer.from(api.image("raspberrypi4-64", "6.1.0").bytes());

afterAll(() => api.close());
beforeEach(() => {
  api.faults.reset();
  api.counters.reset();
});

const get = (headers: Record<string, string> = {}) => rawRequest(url, { headers });
const isRaw = (body: Buffer, start = 0, end = raw.length) =>
  Buffer.compare(body, raw.subarray(start, end)) === 0;

describe("refusals and redirects", () => {
  it("refuse: any status, with Retry-After", async () => {
    api.faults.refuse = { status: 429, retryAfter: "Wed, 21 Oct 2026 07:28:00 GMT", times: 1 };
    const { status, headers } = await get();
    expect([status, headers["retry-after"]]).toEqual([429, "Wed, 21 Oct 2026 07:28:00 GMT"]);
    expect((await get()).status).toBe(200);
  });

  it("refuse for .gz alone", async () => {
    api.faults.refuse = { status: 400, fileTypes: [".gz"] };
    expect([(await rawRequest(`${url}&fileType=.gz`)).status, (await get()).status]).toEqual([400, 200]);
  });

  it("redirect to another origin: the file is there, and the log tells what was sent", async () => {
    api.faults.redirect = { to: "other-origin" };
    const headers = { authorization: `Bearer ${api.token}` };
    const { status, headers: answer } = await get(headers);
    expect(status).toBe(302);
    expect(answer.location).toContain(api.filesUrl);
    expect(isRaw((await rawRequest(answer.location!, { headers: { authorization: "leaked" } })).body)).toBe(
      true,
    );
    expect(api.counters.requestLog.at(-1)).toMatchObject({
      listener: "files",
      headers: { authorization: "leaked" },
    });
    expect(api.counters).toMatchObject({ downloads: 1, transfers: 1 });
  });

  it("redirect on the same origin, and in a loop", async () => {
    api.faults.redirect = { to: "same-origin" };
    expect((await get()).headers.location).toMatch(/^\/files\/download\?/);
    expect(isRaw(Buffer.from(await (await fetch(url)).arrayBuffer()))).toBe(true);
    api.faults.redirect = { to: "loop" };
    await expect(fetch(url)).rejects.toThrow();
  });
});

describe("ranges", () => {
  const range = { range: "bytes=1000-1999" };

  it("on: exactly what was asked for", async () => {
    const { status, headers, body } = await get(range);
    expect([status, headers["content-range"]]).toEqual([206, `bytes 1000-1999/${raw.length}`]);
    expect(isRaw(body, 1000, 2000)).toBe(true);
    expect(isRaw((await get({ range: "bytes=1048570-" })).body, 1_048_570)).toBe(true);
    expect(isRaw((await get({ range: "bytes=-6" })).body, 1_048_570)).toBe(true);
    const beyond = await get({ range: `bytes=${raw.length}-` });
    expect([beyond.status, beyond.headers["content-range"]]).toEqual([416, `bytes */${raw.length}`]);
    expect((await get({ range: "bytes=9-1" })).status).toBe(200);
  });

  it("a fault's place counts from the first byte of the range", async () => {
    api.faults.lose = { atPercent: 50 };
    const { status, body, complete } = await get(range);
    expect([status, complete, isRaw(body, 1000, 1500)]).toEqual([206, false, true]);
  });

  it.each([
    ["off", undefined],
    ["ignored", "bytes"],
  ] as const)("%s: the whole, with Accept-Ranges %s", async (ranges, accepts) => {
    api.faults.ranges = ranges;
    const { status, headers, body } = await get(range);
    expect([status, headers["accept-ranges"], isRaw(body)]).toEqual([200, accepts, true]);
  });

  it("wrong: another range, said so; lying: another range, not said", async () => {
    api.faults.ranges = "wrong";
    const wrong = await get(range);
    expect([wrong.status, wrong.headers["content-range"]]).toEqual([206, `bytes 500-1499/${raw.length}`]);
    expect(isRaw(wrong.body, 500, 1500)).toBe(true);
    api.faults.ranges = "lying";
    const lying = await get(range);
    expect([lying.status, lying.headers["content-range"]]).toEqual([206, `bytes 1000-1999/${raw.length}`]);
    expect(isRaw(lying.body, 500, 1500)).toBe(true);
  });

  it("unsatisfiable: 416 to every range", async () => {
    api.faults.ranges = "unsatisfiable";
    expect([(await get(range)).status, (await get()).status]).toEqual([416, 200]);
  });

  it("If-Range: the part for the same strong ETag or date, else the whole", async () => {
    const { etag, "last-modified": date } = (await rawRequest(url, { method: "HEAD" })).headers;
    const statusFor = async (condition: string) => (await get({ ...range, "if-range": condition })).status;
    expect(await statusFor(etag!)).toBe(206);
    expect(await statusFor(date!)).toBe(206);
    expect(await statusFor('"other"')).toBe(200);
    expect(await statusFor("Thu, 01 Jan 2026 00:00:00 GMT")).toBe(200);
    api.faults.etag = "weak";
    expect(await statusFor(`W/${etag}`)).toBe(200);
  });
});

describe("validators", () => {
  it("answer conditional requests, ETags compared weakly and before dates", async () => {
    const { etag, "last-modified": date } = (await rawRequest(url, { method: "HEAD" })).headers;
    expect(date).toBe(defaultLastModified.toUTCString());
    expect((await get({ "if-none-match": `"x", W/${etag}` })).status).toBe(304);
    expect((await get({ "if-none-match": '"x"', "if-modified-since": date! })).status).toBe(200);
    expect((await get({ "if-modified-since": date! })).status).toBe(304);
    expect((await get({ "if-modified-since": "Thu, 01 Jan 2026 00:00:00 GMT" })).status).toBe(200);
  });

  it("can be weak or absent, and dates be set", async () => {
    Object.assign(api.faults, { etag: "weak", lastModified: new Date(0), date: new Date(1000) });
    expect((await get()).headers).toMatchObject({
      etag: expect.stringMatching(/^W\/"/),
      "last-modified": "Thu, 01 Jan 1970 00:00:00 GMT",
      date: "Thu, 01 Jan 1970 00:00:01 GMT",
    });
    Object.assign(api.faults, { etag: "none", lastModified: "none", date: "none" });
    const { headers } = await get();
    expect([headers.etag, headers["last-modified"], headers.date]).toEqual([undefined, undefined, undefined]);
  });

  it.each([
    { content: true, validators: true },
    { content: true, validators: false },
    { content: false, validators: true },
  ])("change half-way: %o", async (change) => {
    api.faults.change = { skip: 1, ...change };
    const [first, second, third] = [await get(), await get(), await get()];
    const changed = Buffer.from(api.image("raspberrypi4-64", "6.1.0", {}, 1).bytes());
    expect(isRaw(first.body)).toBe(true);
    expect(Buffer.compare(second.body, change.content ? changed : raw)).toBe(0);
    expect(second.headers.etag !== first.headers.etag).toBe(change.validators);
    expect(second.headers["last-modified"] !== first.headers["last-modified"]).toBe(change.validators);
    expect(third.headers.etag).toBe(second.headers.etag);
  });
});
