// Source contract: failures as typed errors without secrets, and aborts.
import { type Case, image, rejection, rejections, slug } from "./support.ts";

export const errorCases: Record<string, Case> = {
  "401 and 403 are UNAUTHORIZED": async (api, { source, assert }) => {
    for (const status of [401, 403]) {
      await api.failMetadata({ status });
      for (const options of [{ apiUrl: api.url }, { apiUrl: api.url, token: api.token }]) {
        const error = await rejection(source(options).versions(slug, {}));
        assert.equal(error.code, "UNAUTHORIZED");
        assert.equal(error.status, status);
      }
    }
  },
  "404 on a device type is DEVICE_TYPE_NOT_FOUND": async (api, { source, assert }) => {
    await api.failMetadata({ status: 404 });
    const anonymous = source({ apiUrl: api.url });
    const attempts = [anonymous.resolveDeviceType(slug, {}), anonymous.versions(slug, {})];
    for (const error of await rejections(attempts)) {
      assert.equal(error.code, "DEVICE_TYPE_NOT_FOUND");
    }
  },
  "429 and 5xx are UPSTREAM with status and Retry-After, asked once": async (
    api,
    { source, assert, inspect },
  ) => {
    const signedIn = source({ apiUrl: api.url, token: api.token });
    for (const fault of [{ status: 429, retryAfter: 7 }, { status: 500 }, { status: 503, retryAfter: 0 }]) {
      await api.failMetadata(fault);
      await api.takeRequests();
      for (const error of await rejections([
        signedIn.resolveDeviceType(slug, {}),
        signedIn.versions(slug, {}),
      ])) {
        assert.equal(error.code, "UPSTREAM");
        assert.equal(error.status, fault.status);
        assert.equal(
          error.retryAfterMs,
          fault.retryAfter === undefined ? undefined : fault.retryAfter * 1000,
        );
        assert.ok(error.message.includes(String(fault.status)) && error.message.includes(api.url));
        assert.ok(!inspect(error).includes(api.token));
      }
      assert.equal((await api.takeRequests()).length, 2);
    }
  },
  "Retry-After may be a date": async (api, { source, assert }) => {
    await api.failMetadata({ status: 503, retryAfter: new Date(Date.now() + 60_000).toUTCString() });
    const { retryAfterMs = 0 } = await rejection(source({ apiUrl: api.url }).versions(slug, {}));
    assert.ok(retryAfterMs > 50_000 && retryAfterMs <= 60_000, `${retryAfterMs} ms`);
  },
  "a page in place of the answer is UPSTREAM, unavailable": async (api, { source, assert }) => {
    const anonymous = source({ apiUrl: api.url });
    for (const status of [200, 302]) {
      await api.failMetadata({ status });
      for (const error of await rejections([
        anonymous.resolveDeviceType(slug, {}),
        anonymous.versions(slug, {}),
      ])) {
        assert.equal(error.code, "UPSTREAM");
        assert.equal(error.unavailable, true);
      }
    }
  },
  "a lost and a refused connection are UPSTREAM without status": async (api, { source, assert, inspect }) => {
    const signedIn = source({ apiUrl: api.url, token: api.token });
    await api.failMetadata({});
    const lost = await rejection(signedIn.versions(slug, {}));
    await api.close();
    const refused = await rejection(signedIn.resolveDeviceType(slug, {}));
    for (const error of [lost, refused]) {
      assert.equal(error.code, "UPSTREAM");
      assert.equal(error.status, undefined);
      assert.equal(error.unavailable, true);
      assert.ok(error.cause instanceof Error);
      assert.ok(!inspect(error).includes(api.token));
    }
  },
};

export const abortCases: Record<string, Case> = {
  "an aborted signal rejects with its reason before any request": async (api, { source, assert }) => {
    const anonymous = source({ apiUrl: api.url });
    const reason = new Error("changed my mind");
    const signal = AbortSignal.abort(reason);
    const attempts = [
      anonymous.resolveDeviceType(slug, { signal }),
      anonymous.versions(slug, { signal }),
      anonymous.request(image({}, { signal })),
    ];
    for (const error of await rejections<unknown>(attempts)) assert.equal(error, reason);
    assert.equal((await api.takeRequests()).length, 0);
  },
  "an abort under way rejects with its reason at once": async (api, { source, assert }) => {
    const anonymous = source({ apiUrl: api.url });
    await anonymous.versions(slug, {});
    await api.delayMetadata(60_000);
    for (const method of ["resolveDeviceType", "versions"] as const) {
      const abort = new AbortController();
      const reason = new Error("changed my mind");
      await api.takeRequests();
      const failure = rejection<unknown>(anonymous[method](slug, { signal: abort.signal }));
      while ((await api.takeRequests()).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      abort.abort(reason);
      assert.equal(await failure, reason);
    }
  },
};
