// The S3 store while its server is busy, slow, lost or peculiar.
import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { s3Adapter } from "../../src/adapters/s3/index.ts";
import { delayMsAfter } from "../../src/adapters/s3/retry.ts";
import { type FakeS3, refuse, sharedFakeS3, times } from "../support/fake-s3.ts";

const s3 = await sharedFakeS3();
const bytes = new Uint8Array([1, 2, 3]);
const secretAccessKey = "hunter2";

const base = { bucket: "bucket", region: "us-east-1", accessKeyId: "AKID", secretAccessKey };

const storeWith = (options: { maxAttempts?: number; timeoutMs?: number; endpoint?: string } = {}) => {
  const driver = s3Adapter({
    bucket: "bucket",
    region: "us-east-1",
    endpoint: s3.url,
    accessKeyId: "AKID",
    secretAccessKey,
    ...options,
  });
  return {
    read: async () => driver.getItemRaw?.("a", {}),
    write: async () => driver.setItemRaw?.("a", bytes, {}),
    create: async (key = "a", value = bytes) => driver.createIfAbsent?.(key, value),
  };
};

const methods = () => s3.requests.map(({ method }) => method).join(" ");

describe("a server that is busy", () => {
  test.each([
    [500, "InternalError"],
    [502, "BadGateway"],
    [503, "SlowDown"],
    [504, "GatewayTimeout"],
    [429, "TooManyRequests"],
    [408, "RequestTimeout"],
    [400, "RequestTimeout"],
  ])("and answers %i %s twice is asked a third time", async (status, code) => {
    s3.faults.push(times(2, "PUT", (response) => refuse(response, status, code)));
    s3.faults.push(times(2, "GET", (response) => refuse(response, status, code)));
    const store = storeWith();
    await store.write();
    expect(await store.read()).toEqual(bytes);
    expect(methods()).toBe("PUT PUT PUT GET GET GET");
  });

  test("is given up after maxAttempts", async () => {
    s3.faults.push(times(9, "GET", (response) => refuse(response, 503, "SlowDown", "Reduce your rate")));
    const failure = { code: "SlowDown", status: 503, message: expect.stringContaining("Reduce your rate") };
    await expect(storeWith({ maxAttempts: 2 }).read()).rejects.toMatchObject(failure);
    expect(methods()).toBe("GET GET");
  });

  test.each([
    [400, "InvalidRequest"],
    [403, "AccessDenied"],
    [404, "NoSuchBucket"],
    [501, "NotImplemented"],
  ])("is told from one that refuses with %i %s, which is asked once", async (status, code) => {
    s3.faults.push(times(9, "GET", (response) => refuse(response, status, code)));
    await expect(storeWith().read()).rejects.toMatchObject({ code, status });
    expect(methods()).toBe("GET");
  });

  test("and says when to come back is left alone until then", async () => {
    s3.objects.set("a", Buffer.from(bytes));
    s3.faults.push(times(1, "GET", (response) => response.writeHead(503, { "retry-after": "1" }).end()));
    const start = performance.now();
    expect(await storeWith().read()).toEqual(bytes);
    expect(performance.now() - start).toBeGreaterThanOrEqual(995);
  });

  test.each([
    [1, null, 0, 100],
    [3, null, 0, 400],
    [99, null, 0, 10_000],
    [1, "soon", 0, 100],
    [1, "2", 2_000, 2_000],
    [1, "3600", 10_000, 10_000],
    [1, new Date(Date.now() + 3_600_000).toUTCString(), 10_000, 10_000],
    [1, new Date(Date.now() - 3_600_000).toUTCString(), 0, 100],
  ])("after %i failures and Retry-After %s gets %i to %i ms", (failures, retryAfter, fromMs, toMs) => {
    const delays = Array.from({ length: 200 }, () => delayMsAfter(failures, retryAfter));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(fromMs);
    expect(Math.max(...delays)).toBeLessThanOrEqual(toMs);
    // Spread out, where nothing else is asked for.
    if (fromMs === 0) expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(toMs / 2);
  });
});

describe("a server that is slow or lost", () => {
  test("and answers nothing in time is asked again", async () => {
    s3.objects.set("a", Buffer.from(bytes));
    s3.faults.push(times(2, "GET", () => undefined));
    expect(await storeWith({ timeoutMs: 200 }).read()).toEqual(bytes);
    expect(methods()).toBe("GET GET GET");
  });

  test("and stops in the middle of a body is asked again", async () => {
    s3.objects.set("a", Buffer.from(bytes));
    s3.faults.push(
      times(1, "GET", (response) => void response.writeHead(200, { "content-length": 3 }).write("x")),
    );
    expect(await storeWith({ timeoutMs: 200 }).read()).toEqual(bytes);
  });

  test("and drops the connection before or in the middle of an answer is asked again", async () => {
    s3.objects.set("a", Buffer.from(bytes));
    s3.faults.push(times(1, "GET", (response) => void response.socket?.destroy()));
    s3.faults.push(
      times(1, "GET", (response) => {
        response.writeHead(200, { "content-length": 3 });
        response.write("x", () => response.socket?.destroy());
      }),
    );
    expect(await storeWith().read()).toEqual(bytes);
    expect(methods()).toBe("GET GET GET");
  });

  test("is given up with an error that says so, and no secret", async () => {
    s3.faults.push(times(9, "GET", () => undefined));
    const late = storeWith({ timeoutMs: 50, maxAttempts: 2 }).read();
    await expect(late).rejects.toMatchObject({ code: "TIMEOUT", message: expect.stringContaining("50 ms") });
    expect(methods()).toBe("GET GET");
    const gone = storeWith({ endpoint: "http://127.0.0.1:1", maxAttempts: 2 }).read();
    await expect(gone).rejects.toMatchObject({ code: "NETWORK", cause: expect.any(Error) });
  });

  test("that quotes secrets gets them struck out", async () => {
    s3.faults.push(
      times(1, "GET", (response) => refuse(response, 403, "Odd", `signed with ${secretAccessKey}`)),
    );
    await expect(storeWith().read()).rejects.toThrow("signed with [secret]");
  });
});

describe("a server that answers too much", () => {
  /** Writes the text until the connection is closed, which the promise waits for. */
  const writeForEver = (response: ServerResponse, text: string) =>
    new Promise<void>((resolve) => {
      response.once("close", resolve);
      const write = () => {
        while (!response.destroyed && response.write(text));
        if (!response.destroyed) response.once("drain", write);
      };
      write();
    });
  const endless = (status: number, head: string, text: string) => {
    const closed = Promise.withResolvers<void>();
    s3.faults.push(
      times(1, "GET", (response) => {
        response.writeHead(status).write(head);
        closed.resolve(writeForEver(response, text.repeat(1000)));
      }),
    );
    return closed.promise;
  };
  const driver = () => s3Adapter({ ...base, endpoint: s3.url, maxAttempts: 1 });

  test("as an object that never ends is left, and has no value", async () => {
    const closed = endless(200, "", "x");
    expect(await driver().getItemRaw?.("a", { maxBytes: 1000 })).toBeNull();
    await closed;
  });

  test("as an object that says it is too large is not read", async () => {
    const closed = Promise.withResolvers<void>();
    s3.faults.push(
      times(1, "GET", (response) => {
        response.once("close", closed.resolve);
        response.writeHead(200, { "content-length": 2 ** 40 }).write("x");
      }),
    );
    expect(await driver().getItemRaw?.("a", { maxBytes: 1000 })).toBeNull();
    await closed.promise;
    s3.objects.set("a", Buffer.alloc(1000));
    expect(await driver().getItemRaw?.("a", { maxBytes: 1000 })).toHaveLength(1000);
  });

  test.each([
    ["that never ends", "<Error><Code>AccessDenied</Code><Message>no</Message>"],
    ["of opening tags alone", "<Code>".repeat(11_000)],
    ["of half an opening tag", "<Code ".repeat(11_000)],
    ["of whitespace", " ".repeat(70_000)],
  ])("as an error page %s is read as far as it can matter, in a moment", async (_, page) => {
    const closed = endless(403, page, " <Code");
    await inAMoment(async () => {
      await expect(driver().getItemRaw?.("a", {})).rejects.toMatchObject({ status: 403 });
      await closed;
    });
  });

  test("as a code that stands at the beginning of a long error page is still found", async () => {
    const page = `<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>${" ".repeat(360_000)}`;
    s3.faults.push(times(1, "GET", (response) => response.writeHead(404).end(page)));
    expect(await driver().getItemRaw?.("a", {})).toBeNull();
  });

  test.each([
    ["opening tags alone", "<ListBucketResult><IsTruncated>false</IsTruncated>", "<Key>"],
    ["half an opening tag", "<ListBucketResult><IsTruncated>false</IsTruncated>", "<Key "],
    ["roots", "", "<ListBucketResult "],
  ])("as a page of a listing of %s is no listing, in a moment", async (_, head, text) => {
    const page = head + text.repeat(600_000);
    s3.faults.push(times(1, "GET", (response) => response.writeHead(200).end(page)));
    await inAMoment(() =>
      expect(driver().getKeys("a:", {})).rejects.toMatchObject({ code: "MALFORMED_ANSWER" }),
    );
  });

  test("as a page of a listing that never ends is no listing", async () => {
    const closed = endless(200, "<ListBucketResult>", "<Key>a:b</Key>");
    await expect(driver().getKeys("a:", {})).rejects.toMatchObject({ code: "MALFORMED_ANSWER" });
    await closed;
  });

  test("as the result of a deletion of roots alone is none, in a moment", async () => {
    s3.objects.set("a:b", Buffer.from(bytes));
    const page = "<DeleteResult>".repeat(400_000);
    s3.faults.push(times(1, "POST", (response) => response.writeHead(200).end(page)));
    await inAMoment(() =>
      expect(driver().clear?.("a", {})).rejects.toMatchObject({ code: "MALFORMED_ANSWER" }),
    );
  });
});

/** Asserts that it takes little of the processor, however busy that is with other things. */
async function inAMoment(work: () => Promise<unknown>): Promise<void> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  expect(user + system).toBeLessThan(5e6); // microseconds
}

describe("createIfAbsent", () => {
  test("asks once what the server makes of the condition, and leaves no trace of that", async () => {
    const store = storeWith();
    expect(await store.create("a")).toBe("created");
    expect(methods()).toBe("PUT PUT DELETE PUT");
    expect(await store.create("a")).toBe("exists");
    expect(await store.create("b")).toBe("created");
    expect(methods()).toBe("PUT PUT DELETE PUT PUT PUT");
    expect([...s3.objects.keys()]).toEqual(["a", "b"]);
  });

  test.each<[FakeS3["condition"], string]>([
    [501, "PUT"],
    [400, "PUT"],
    ["ignored", "PUT PUT DELETE"],
  ])(
    "is unsupported, from then on, by a server whose way with the condition is %s",
    async (condition, sent) => {
      s3.condition = condition;
      const store = storeWith();
      expect(await store.create()).toBe("unsupported");
      expect(await store.create()).toBe("unsupported");
      expect(methods()).toBe(sent);
      expect(s3.objects.size).toBe(0);
    },
  );

  test("asks again after a fault, which says nothing about the server's abilities", async () => {
    const store = storeWith({ maxAttempts: 1 });
    s3.faults.push(times(1, "PUT", (response) => refuse(response, 503, "SlowDown")));
    await expect(store.create()).rejects.toMatchObject({ code: "SlowDown" });
    expect(await store.create()).toBe("created");
  });

  test.each([409, 412])("takes %i for a race that was lost", async (status) => {
    const store = storeWith();
    await store.create("b");
    s3.faults.push(times(1, "PUT", (response) => refuse(response, status, "ConditionalRequestConflict")));
    expect(await store.create("a")).toBe("exists");
  });

  test.each<[string, Uint8Array<ArrayBuffer> | undefined, string]>([
    ["its own bytes are there", bytes, "created"],
    ["another's are there", new Uint8Array([1, 2, 4]), "exists"],
    ["longer ones are there", new Uint8Array([1, 2, 3, 4]), "exists"],
    ["it has been removed", undefined, "exists"],
  ])("whose answer got lost looks what is there: %s", async (_, found, result) => {
    const store = storeWith();
    await store.create("b");
    s3.lateFaults.push(
      times(1, "PUT", (response) => {
        if (found) s3.objects.set("a", Buffer.from(found));
        response.socket?.destroy();
      }),
    );
    s3.lateFaults.push(
      ({ name, method }) => method === "PUT" && name === "a" && !found && s3.objects.delete("a") && false,
    );
    expect(await store.create("a")).toBe(result);
    expect(methods()).toMatch(/PUT PUT GET$/);
  });

  test("finds out about the condition although the answer to that got lost", async () => {
    s3.lateFaults.push(times(1, "PUT", (response) => void response.socket?.destroy()));
    expect(await storeWith().create("a")).toBe("created");
    expect(methods()).toBe("PUT PUT DELETE PUT");
    expect([...s3.objects.keys()]).toEqual(["a"]);
  });
});
