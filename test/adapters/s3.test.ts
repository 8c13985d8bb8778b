// The S3 store over a loopback server: the contract, and what the adapter sends, believes and refuses.
import { describe, expect, test } from "vitest";
import { balenaApiSource } from "../../src/adapters/balena-api/index.ts";
import { type S3AdapterOptions, s3Adapter } from "../../src/adapters/s3/index.ts";
import { createImageManager } from "../../src/core/index.ts";
import { storeContract } from "../contract/store-contract.ts";
import { contractHost } from "../support/contract-host.ts";
import { type FakeS3, refuse, sharedFakeS3 } from "../support/fake-s3.ts";

const s3 = await sharedFakeS3();
const credentials = { accessKeyId: "AKID", secretAccessKey: "secret/key" };
const bytes = new Uint8Array([1, 2, 3]);

const storeWith = (options: object = {}) =>
  s3Adapter({
    bucket: "bucket",
    region: "us-east-1",
    endpoint: s3.url,
    ...credentials,
    ...options,
  } as S3AdapterOptions);

describe.each<Partial<FakeS3>>([{}, { condition: 501, encoding: "xml", pageSize: 100, takesBatches: false }])(
  "contract, server %o",
  async (knobs) => {
    await storeContract({
      ...contractHost,
      create: () => {
        Object.assign(s3, knobs);
        return storeWith();
      },
    });
  },
);

describe("listing", () => {
  test("asks for the prefix, in pages, and passes strangers over", async () => {
    s3.pageSize = 2;
    for (const name of ["p/a:1", "p/a:2", "p/a:3", "p/b:1", "p/folder/", "p/folder/x", "q", "p/.."])
      s3.objects.set(name, Buffer.from("x"));
    const store = storeWith({ keyPrefix: "p/" });
    expect(await store.getKeys("a:", {})).toEqual(["a:1", "a:2", "a:3"]);
    expect(s3.requests.map(({ query }) => query.get("prefix"))).toEqual(["p/a:", "p/a:"]);
    expect(await store.getKeys("", {})).toEqual(["a:1", "a:2", "a:3", "b:1"]);
    await store.clear?.("", {});
    expect([...s3.objects.keys()]).toEqual(["p/folder/", "p/folder/x", "q", "p/.."]);
  });

  test.each(["url", "xml"] as const)("decodes names written as %s", async (encoding) => {
    s3.encoding = encoding;
    const keys = ["&amp;", "<a>&\"'", "a b+c", "%41", "日本🎉"];
    for (const key of keys) s3.objects.set(key, Buffer.from("x"));
    expect([...(await storeWith().getKeys("", {}))].sort()).toEqual([...keys].sort());
  });

  test("decodes numbered entities", async () => {
    answerGets(
      "<ListBucketResult><IsTruncated>false</IsTruncated><Key>&#228;&#x1f389;&apos;&no;</Key></ListBucketResult>",
    );
    expect(await storeWith().getKeys("", {})).toEqual(["ä🎉'&no;"]);
  });

  const whole = "<IsTruncated>false</IsTruncated><Contents><Key>a</Key></Contents>";
  test.each([
    ["a page of HTML", "<html>Welcome</html>"],
    ["nothing", ""],
    ["a listing that is cut off", `<ListBucketResult>${whole}`],
    [
      "no word on whether it goes on",
      "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
    ],
    ["a page without a next one", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"],
    [
      "the same page for ever",
      "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>",
    ],
    [
      "a name that is badly escaped",
      "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated><Key>%zz</Key></ListBucketResult>",
    ],
  ])("%s is a fault", async (_, xml) => {
    answerGets(xml);
    await expect(storeWith().getKeys("", {})).rejects.toMatchObject({ code: "MALFORMED_ANSWER" });
  });

  test("an answer about other objects than were asked for is a fault, and deletes nothing", async () => {
    answerGets(`<ListBucketResult>${whole}</ListBucketResult>`);
    await expect(storeWith({ keyPrefix: "p/" }).clear?.("", {})).rejects.toMatchObject({
      code: "MALFORMED_ANSWER",
    });
    expect(s3.requests.map(({ method }) => method)).toEqual(["GET"]);
  });

  function answerGets(xml: string): void {
    s3.faults.push(({ method }, response) => method === "GET" && Boolean(response.end(xml)));
  }
});

describe("clear", () => {
  test("deletes 1,000 at a time", async () => {
    for (let index = 0; index < 1500; index++) s3.objects.set(`a:${index}<&>`, Buffer.from("x"));
    await storeWith().clear?.("a", {});
    expect(s3.objects.size).toBe(0);
    expect(s3.requests.map(({ method }) => method)).toEqual(["GET", "GET", "POST", "POST"]);
    expect(s3.requests.at(-1)?.headers["x-amz-checksum-sha256"]).toMatch(/^[\w+/]{43}=$/);
  });

  test("deletes singly what the server reports as failed, and says why that fails too", async () => {
    for (const name of ["a:1", "a:2", "stranger"]) s3.objects.set(name, Buffer.from("x"));
    const failed = ["a:1", "stranger"].map(
      (name) => `<Error><Key>${name}</Key><Code>InternalError</Code></Error>`,
    );
    s3.faults.push(
      ({ method }, response) =>
        method === "POST" && Boolean(response.end(`<DeleteResult>${failed}</DeleteResult>`)),
    );
    await storeWith().clear?.("a", {});
    expect([...s3.objects.keys()]).toEqual(["a:2", "stranger"]);
    s3.objects.set("a:1", Buffer.from("x"));
    s3.faults.push(({ method }, response) => method === "DELETE" && refuse(response, 403, "AccessDenied"));
    await expect(storeWith().clear?.("a", {})).rejects.toMatchObject({ code: "AccessDenied" });
  });

  test.each(["", "<html/>", "<DeleteResult><Error><Key>a:1</Key>"])(
    "the answer %j is a fault",
    async (xml) => {
      s3.objects.set("a:1", Buffer.from("x"));
      s3.faults.push(({ method }, response) => method === "POST" && Boolean(response.end(xml)));
      await expect(storeWith().clear?.("a", {})).rejects.toMatchObject({ code: "MALFORMED_ANSWER" });
    },
  );

  test("of a whole bucket is refused", async () => {
    await expect(storeWith().clear?.("", {})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(s3.requests).toEqual([]);
  });
});

describe("removeItems", () => {
  test("deletes in batches of 1,000, and names the keys that neither a batch nor a request of their own deleted", async () => {
    const keys = Array.from({ length: 1_500 }, (_, index) => `a:${index}`);
    for (const key of keys) s3.objects.set(`p/${key}`, Buffer.from("x"));
    const isStuck = (name: string) => /:1?7$/.test(name);
    const errors = keys.filter(isStuck).map((key) => `<Error><Key>p/${key}</Key></Error>`);
    s3.faults.push(({ method, body }, response) => {
      if (method !== "POST" || !body.includes("a:17<")) return false;
      for (const key of keys.slice(0, 1_000)) if (!isStuck(key)) s3.objects.delete(`p/${key}`);
      return Boolean(response.end(`<DeleteResult>${errors}</DeleteResult>`));
    });
    s3.faults.push(
      ({ method, name }, response) =>
        method === "DELETE" && name === "p/a:7" && refuse(response, 403, "AccessDenied"),
    );
    const failed = await storeWith({ keyPrefix: "p/" }).removeItems?.(keys);
    expect(failed).toEqual([{ key: "a:7", cause: expect.objectContaining({ code: "AccessDenied" }) }]);
    expect([...s3.objects.keys()]).toEqual(["p/a:7"]);
    expect(s3.requests.map(({ method }) => method).sort()).toEqual(["DELETE", "DELETE", "POST", "POST"]);
  });

  test("lets cleanCache of 3,000 chunks make seven requests", async () => {
    for (let index = 0; index < 3_000; index++)
      s3.objects.set(`balena-images:v1:chunks:${index % 16}:${index}`, Buffer.from("x"));
    s3.objects.set("stranger", Buffer.from("x"));
    const manager = createImageManager({ source: balenaApiSource(), storage: storeWith() });
    await manager.cleanCache();
    expect([...s3.objects.keys()]).toEqual(["stranger"]);
    const listings = s3.requests.filter(({ method }) => method === "GET");
    const batches = s3.requests.filter(({ method }) => method === "POST");
    expect([listings.length, batches.length, s3.requests.length]).toEqual([4, 3, 7]);
  });
});

describe("a request", () => {
  test("signs its content type, and sends bytes with their length", async () => {
    await storeWith().setItemRaw?.("a", bytes, {});
    const { headers } = s3.requests[0]!;
    expect(headers).toMatchObject({ "content-length": "3", "content-type": "application/octet-stream" });
    expect(headers["transfer-encoding"]).toBeUndefined();
    expect(headers.authorization).toMatch(
      /Credential=AKID\/\d{8}\/us-east-1\/s3\/.*SignedHeaders=content-type;host/,
    );
  });

  test.each([
    [{ endpoint: undefined }, "https://bucket.s3.us-east-1.amazonaws.com/a"],
    [{ endpoint: undefined, region: "cn-north-1" }, "https://bucket.s3.cn-north-1.amazonaws.com.cn/a"],
    [{ endpoint: undefined, bucket: "with.dots" }, "https://s3.us-east-1.amazonaws.com/with.dots/a"],
    [{ endpoint: undefined, style: "path" }, "https://s3.us-east-1.amazonaws.com/bucket/a"],
    [{ endpoint: "https://s3.test:8443/" }, "https://s3.test:8443/bucket/a"],
    [{ endpoint: "https://s3.test:8443", style: "virtual" }, "https://bucket.s3.test:8443/a"],
    [{ endpoint: "https://api.test/storage/s3/" }, "https://api.test/storage/s3/bucket/a"],
    [{ keyPrefix: "x y/z+", endpoint: "https://s3.test" }, "https://s3.test/bucket/x%20y/z%2Ba"],
  ])("with %o goes to %s", async (options, url) => {
    const urls: string[] = [];
    const fetch = async (input: unknown) => {
      urls.push(String(input));
      return new Response("");
    };
    await storeWith({ ...options, fetch }).setItemRaw?.("a", bytes, {});
    expect(urls).toEqual([url]);
  });

  test("asks a credentials function each time, and carries its session token", async () => {
    let count = 0;
    const store = s3Adapter({
      bucket: "bucket",
      region: "us-east-1",
      endpoint: s3.url,
      credentials: async () => ({ ...credentials, sessionToken: `token${++count}` }),
    });
    await store.setItemRaw?.("a", bytes, {});
    await store.getItemRaw?.("a", {});
    expect(s3.requests.map(({ headers }) => headers["x-amz-security-token"])).toEqual(["token1", "token2"]);
    expect(s3.requests[0]?.headers.authorization).toContain("x-amz-security-token");
  });

  test("follows no redirect: it would be signed for another host", async () => {
    s3.faults.push((_, response) =>
      Boolean(response.writeHead(307, { location: "http://127.0.0.1:1/" }).end()),
    );
    await expect(storeWith().getItemRaw?.("a", {})).rejects.toMatchObject({ status: 307 });
    expect(s3.requests).toHaveLength(1);
  });

  test.each(["", "a/b", "..", ".", "a\ud800"])("is not made for the key %j", async (key) => {
    const store = storeWith({ keyPrefix: "p/" });
    for (const call of [
      store.getItemRaw?.bind(store),
      store.removeItem?.bind(store),
      store.hasItem.bind(store),
    ])
      await expect(call?.(key, {})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(store.setItemRaw?.(key, bytes, {})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(store.createIfAbsent?.(key, bytes)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(s3.requests).toEqual([]);
  });
});

describe("options", () => {
  test.each<object>([
    { bucket: "" },
    { bucket: "../up" },
    { bucket: "a/b" },
    { bucket: "Bucket" },
    { region: "" },
    { region: "us-east-1\n" },
    { region: undefined },
    { endpoint: "s3.test" },
    { endpoint: "ftp://s3.test" },
    { endpoint: "https://user:hunter2@s3.test" },
    { endpoint: "https://s3.test/?a=hunter2" },
    { endpoint: "http://127.0.0.1:9000", style: "virtual" },
    { style: "host" },
    { keyPrefix: "a/../" },
    { keyPrefix: 5 },
    { maxAttempts: 0 },
    { maxAttempts: 1.5 },
    { timeoutMs: 0 },
    { timeoutMs: Number.POSITIVE_INFINITY },
    { accessKeyId: undefined },
    { secretAccessKey: "" },
    { secretAccessKey: "hunter2 \n" },
    { sessionToken: "hunter2\r\nhost: evil" },
    { credentials: "hunter2" },
    { credentials: async () => credentials },
  ])("%o are refused, and no secret is quoted", (options) => {
    const make = () => storeWith(options);
    expect(make).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(make).toThrow(expect.not.objectContaining({ message: expect.stringContaining("hunter2") }));
  });

  test("the driver shows none of its secrets", () => {
    expect(JSON.stringify(storeWith({ sessionToken: "token" }).options)).not.toMatch(/secret|token|AKID/);
  });

  test("bad credentials from a function are refused as well, unquoted", async () => {
    const secret = { accessKeyId: "AKID", secretAccessKey: "hunter2\n" };
    const store = s3Adapter({ bucket: "bucket", region: "us-east-1", credentials: () => secret });
    const reading = Promise.resolve(store.getItemRaw?.("a", {}));
    await expect(reading).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(reading).rejects.not.toThrow("hunter2");
  });
});
