/** Every place where an error that is not ours enters: whatever hangs on it, nothing secret gets into errors and events. */
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { memoryAdapter } from "../../src/adapters/memory/index.ts";
import type { ImageManagerOptions, ImageSource } from "../../src/core/index.ts";
import { collect, rejection } from "../support/collect.ts";
import { sharedApi, slug, version } from "../support/shared-api.ts";
import { createTestManager } from "../support/test-manager.ts";

const api = await sharedApi({ imageBytes: 1024 * 1024 });
const wifi = { network: "wifi", wifiSsid: "home", wifiKey: "pl4nted-wifi-key" } as const;
const signedUrl = "https://files.example/part-1.deflate?X-Amz-Signature=pl4nted-signature";

/** As the runtimes make them: Bun's `path`, Node's `data`, a request with its headers, and all of it in the text as well. */
function planted(): Error {
  const request = { url: signedUrl, headers: { authorization: `Bearer ${api.token}` } };
  const cause = Object.assign(new Error(`lost ${signedUrl}`), { path: signedUrl, request });
  return Object.assign(
    new TypeError(`failed: Bearer ${api.token}, ${signedUrl}&wifiKey=${wifi.wifiKey}`, { cause }),
    {
      code: "ECONNRESET",
      path: `${signedUrl}&wifiKey=${wifi.wifiKey}`,
      data: Buffer.from(`GET /download?wifiKey=${wifi.wifiKey}`),
      rawPacket: Buffer.from(api.token),
      requestOptions: request,
    },
  );
}

const fail = () => Promise.reject(planted());
const source = () => balenaApiSource({ apiUrl: api.url, token: api.token });
const failing = (method: keyof ImageSource): Partial<ImageManagerOptions> => ({
  source: { ...source(), [method]: fail },
});

/** A `fetch` whose bodies break off after their first bytes. */
const breaking: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  if (!String(input).includes("/download?")) return response;
  let isFirst = true;
  const cut = new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, controller) {
      if (isFirst) controller.enqueue(piece.slice(0, 1000));
      else controller.error(planted());
      isFirst = false;
    },
    flush: (controller) => controller.error(planted()),
  });
  return new Response(response.body!.pipeThrough(cut), response);
};

const failingStream = () =>
  new TransformStream<Uint8Array, Uint8Array>({
    transform: () => {
      throw planted();
    },
  });

const brokenStore = (method: "getItemRaw" | "setItemRaw" | "getKeys") => ({
  ...memoryAdapter(),
  [method]: fail,
});

describe("an error with planted secrets", () => {
  test.each<[string, Partial<ImageManagerOptions>]>([
    ["of fetch", { fetch: fail }],
    ["of a body", { fetch: breaking }],
    ["of a look-up's fetch", { source: balenaApiSource({ apiUrl: api.url, token: api.token, fetch: fail }) }],
    ["of a token function", { source: balenaApiSource({ apiUrl: api.url, token: fail }) }],
    ["of a source's scope", failing("scope")],
    ["of a source's device types", failing("resolveDeviceType")],
    ["of a source's versions", failing("versions")],
    ["of a source's requests", failing("request")],
    ["of an inflater", { inflate: failingStream }],
    ["of a hasher", { hash: fail }],
    ["of a store's reads", { storage: brokenStore("getItemRaw") }],
    ["of a store's writes", { storage: brokenStore("setItemRaw") }],
    ["of a store's listing", { storage: brokenStore("getKeys") }],
  ])("%s tells none", async (_, options) => {
    const { manager, events } = createTestManager(api, { source: source(), ...options });
    const attempts = [
      manager.get(slug, version).then(collect),
      manager.get(slug, version, wifi).then(collect),
      manager.prefetch(slug, version),
      manager.inspect(slug, version),
      manager.verify(),
    ];
    const failures = await Promise.all(
      attempts.map((attempt) =>
        attempt.then(
          () => undefined,
          (error) => error,
        ),
      ),
    );
    const heard = [...failures, ...events.all].filter((one) => one !== undefined);
    expect(heard).not.toEqual([]);
    const text = inspect(heard, { depth: 12, showHidden: true, maxStringLength: null });
    for (const secret of ["pl4nted", api.token])
      expect(text.includes(secret), text.slice(0, 3000)).toBe(false);
    const sees = heard.some((one) => JSON.stringify(codesOf(one)).includes("ECONNRESET"));
    expect(sees, "the planted error was not met, so nothing was proven").toBe(true);
  });
});

test("what a refusal says is quoted without the credentials of the request", async () => {
  const configuring = balenaApiSource({ apiUrl: api.url, token: api.token, configure: "upstream" });
  const { manager } = createTestManager(api, { source: configuring });
  api.faults.refuse = { status: 403, body: `No: ${api.token} may not see ${wifi.wifiKey} at ${signedUrl}` };
  const failure = await rejection(manager.get(slug, version, wifi));
  expect(failure).toMatchObject({ code: "UNAUTHORIZED", status: 403 });
  expect(String(failure)).toContain(
    "No: [secret] may not see [secret] at https://files.example/part-1.deflate?[query]",
  );
});

/** The codes of an error or event and of its causes. */
function codesOf(value: unknown): unknown[] {
  const { code, cause } = Object(value) as { code?: unknown; cause?: unknown };
  return cause === undefined ? [code] : [code, ...codesOf(cause)];
}
