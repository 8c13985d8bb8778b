/** Revalidation where the upstream sends no validators, as balena's own does: sizes are compared, and a copy that is right costs no body. */
import { describe, expect, test } from "vitest";
import type { DownloadFaults } from "../../support/balena-api/index.ts";
import { collect } from "../../support/collect.ts";
import { sharedApi, slug, version } from "../../support/shared-api.ts";
import { createTestManager } from "../../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 2 * 1024 * 1024 });
const old = await api.image(slug, version).sha256;
const changed = await api.image(slug, version, {}, 1).sha256;
const change = { content: true, validators: false };

const methods = () =>
  api.counters.requestLog.filter(({ url }) => url.startsWith("/download")).map(({ method }) => method);

/** A manager that has the image, with an upstream that is then as `faults` say. */
async function filled(faults: Partial<DownloadFaults>) {
  const made = createTestManager(api);
  await made.manager.prefetch(slug, version);
  api.counters.reset();
  made.events.clear();
  Object.assign(api.faults, faults);
  return made;
}

describe("a copy whose size is still the upstream's", () => {
  test.each<[string, Partial<DownloadFaults>, string[]]>([
    ["costs one HEAD", {}, ["HEAD"]],
    [
      "costs a GET that is cancelled, after a 405",
      { refuse: { status: 405, methods: ["HEAD"] } },
      ["HEAD", "GET"],
    ],
    ["the same after a 501", { refuse: { status: 501, methods: ["HEAD"] } }, ["HEAD", "GET"]],
    [
      "and after a 403, as for a URL that is signed for GET",
      { refuse: { status: 403, methods: ["HEAD"] } },
      ["HEAD", "GET"],
    ],
    ["and where the HEAD says no length", { contentLength: "omitted" }, ["HEAD", "GET"]],
  ])("%s", async (_, faults, expected) => {
    const { manager, events } = await filled(faults);
    const stream = await manager.get(slug, version);
    expect(stream.origin).toBe("cache");
    expect((await collect(stream)).sha256).toBe(old);
    expect(events.types()).toEqual(["revalidated"]);
    expect(methods()).toEqual(expected);
    if (expected.length === 1) expect(api.counters.bytesSent).toBe(0);
  });

  test("is fresh by one HEAD, too", async () => {
    const { manager } = await filled({});
    expect(await manager.isFresh(slug, version)).toBe(true);
    expect(methods()).toEqual(["HEAD"]);
  });

  test("does not tell who retries that a server knows no HEAD again and again", async () => {
    const { manager } = await filled({ refuse: { status: 501, methods: ["HEAD"] } });
    expect(await manager.isFresh(slug, version)).toBe(true);
    expect(methods()).toEqual(["HEAD", "GET"]);
  });
});

test("another size starts a GET, whose image takes the old one's place", async () => {
  const { manager, events } = await filled({ change });
  const stream = await manager.get(slug, version);
  expect(stream.origin).toBe("network");
  expect((await collect(stream)).sha256).toBe(changed);
  await stream.committed();
  expect(events.types()).toEqual(["committed"]);
  expect(methods()).toEqual(["HEAD", "GET"]);
});

test.each([
  [{ refuse: { status: 503 } }, "stale"],
  [{ refuse: { status: 503, methods: ["HEAD"] } }, "stale"],
] as const)("trouble of the upstream is no answer: %j", async (faults, origin) => {
  const { manager } = await filled(faults);
  expect((await manager.get(slug, version)).origin).toBe(origin);
  expect(methods()).toEqual(["HEAD"]);
});

test.each([
  [401, "UNAUTHORIZED"],
  [404, "VERSION_NOT_FOUND"],
])("a %d is told, whatever HEAD was answered", async (status, code) => {
  const { manager } = await filled({ refuse: { status } });
  await expect(manager.get(slug, version)).rejects.toMatchObject({ code });
});

test("nobody sends a HEAD who has a validator to ask by", async () => {
  Object.assign(api.faults, { etag: "strong" });
  const { manager } = await filled({});
  expect((await manager.get(slug, version)).origin).toBe("cache");
  expect(methods()).toEqual(["GET"]);
  expect(api.counters.notModified).toBe(1);
});
