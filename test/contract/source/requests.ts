// Source contract: the request for an image, and that it fetches one.
import type { ImageVariant, ResolvedImage } from "../../../src/core/types.ts";
import { type Case, fileOf, image } from "./support.ts";

export const requestCases: Record<string, Case> = {
  "the request names every field of the variant as the SDK does": async (api, { source, assert }) => {
    const variant: ImageVariant = {
      developmentMode: true,
      imageType: "flasher",
      appId: 12,
      network: "wifi",
      wifiSsid: "a b&c=d+e",
      wifiKey: "p%4 ü",
      appUpdatePollInterval: 30,
      scope: "mine",
    };
    const { url } = fileOf(
      await source({ apiUrl: api.url }).request(image(variant, { version: "6.0.10+rev1" })),
    );
    assert.equal(
      String(url),
      `${api.url}/download?deviceType=raspberrypi4-64&version=6.0.10%2Brev1&developmentMode=true&fileType=.gz` +
        "&imageType=flasher&appId=12&network=wifi&wifiSsid=a%20b%26c%3Dd%2Be&wifiKey=p%254%20%C3%BC&appUpdatePollInterval=30",
    );
  },
  "the defaults are said once and nothing is invented": async (api, { source, assert }) => {
    const { url } = fileOf(await source({ apiUrl: api.url }).request(image({})));
    assert.equal(
      String(url),
      `${api.url}/download?deviceType=raspberrypi4-64&version=6.1.0&developmentMode=false&fileType=.gz`,
    );
  },
  "the token goes into Authorization alone": async (api, { source, assert, inspect }) => {
    const anonymous = fileOf(await source({ apiUrl: api.url }).request(image({})));
    assert.equal(new Headers(anonymous.headers).get("authorization"), null);
    const { headers, ...rest } = fileOf(
      await source({ apiUrl: api.url, token: api.token }).request(image({})),
    );
    assert.deepEqual([...new Headers(headers)], [["authorization", `Bearer ${api.token}`]]);
    assert.ok(!inspect(rest).includes(api.token));
  },
  "the request fetches the image: inflated .gz, .img, and files as they are": async (
    api,
    { source, assert },
  ) => {
    const anonymous = source({ apiUrl: api.url });
    const bytesOf = async (variant: ImageVariant, fileType: ResolvedImage["fileType"]) => {
      const { url, headers = {}, gzip } = fileOf(await anonymous.request(image(variant, { fileType })));
      const response = await fetch(url, { headers: { ...headers, "accept-encoding": "identity" } });
      assert.equal(response.status, 200);
      const body = gzip ? response.body?.pipeThrough(new DecompressionStream("gzip")) : response.body;
      return { gzip, bytes: (await new Response(body).arrayBuffer()).byteLength };
    };
    assert.deepEqual(await bytesOf({}, ".gz"), { gzip: true, bytes: api.imageBytes });
    assert.deepEqual(await bytesOf({ developmentMode: true }, ".gz"), { gzip: true, bytes: api.imageBytes });
    assert.deepEqual(await bytesOf({ fileType: ".img" }, ".img"), { gzip: false, bytes: api.imageBytes });
    for (const fileType of [".gz", ".zip"] as const) {
      const { gzip, bytes } = await bytesOf({ fileType }, fileType);
      assert.ok(!gzip && bytes > 0 && bytes < api.imageBytes, `${fileType}: ${bytes} bytes, gzip ${gzip}`);
    }
  },
  "a private image is fetched with the headers given": async (api, { source, assert }) => {
    const asked = image({}, { deviceType: "acme-gateway", version: "6.1.1" });
    const { url, headers = {} } = fileOf(await source({ apiUrl: api.url, token: api.token }).request(asked));
    const response = await fetch(url, { headers });
    await response.body?.cancel();
    assert.equal(response.status, 200);
  },
  // The size that the API tells is that of the `.gz`, which the response's Content-Length tells anyway.
  "no size is guessed, and none is asked for": async (api, { source, assert }) => {
    const { exactBytes, estimatedBytes } = fileOf(await source({ apiUrl: api.url }).request(image({})));
    assert.deepEqual([exactBytes, estimatedBytes], [undefined, undefined]);
    // Whether the release has parts is asked; a size is not.
    assert.deepEqual(
      (await api.takeRequests()).map(({ url }) => url.split("?")[0]),
      ["/v7/release"],
    );
  },
};
