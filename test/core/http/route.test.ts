// URLs and methods as a table: what they mean, and how hostile ones are refused.
import { describe, expect, test } from "vitest";
import { HttpProblem } from "../../../src/core/http/problem.ts";
import { type Route, routeOf } from "../../../src/core/http/route.ts";

function tryRoute(method: string, path: string, basePath = "") {
  try {
    return routeOf(method, new URL(`http://localhost${path}`), basePath);
  } catch (failure) {
    return failure as HttpProblem;
  }
}

const image = (wanted: string, variant: object = {}): Route => ({
  kind: "image",
  deviceType: "intel-nuc",
  wanted,
  variant,
});

test.each<[string, Route]>([
  ["/images", { kind: "images" }],
  ["/healthz", { kind: "health" }],
  ["/healthz?probe=1", { kind: "health" }],
  ["/versions/intel-nuc", { kind: "versions", deviceType: "intel-nuc" }],
  ["/images/intel-nuc/latest", image("latest")],
  ["/images/intel-nuc/6.4.0%2Brev1", image("6.4.0+rev1")],
  ["/images/intel-nuc/6.4.0+rev1", image("6.4.0+rev1")],
  ["/images/intel-nuc/%5E6.0.0%20%7C%7C%20%5E7.0.0", image("^6.0.0 || ^7.0.0")],
  ["/images/intel-nuc/^6.0.0", image("^6.0.0")],
  ["/images/x/../intel-nuc/./latest", image("latest")],
  ["/images/intel-nuc/latest#frag", image("latest")],
  ["/images/intel-nuc/latest?developmentMode=true", image("latest", { developmentMode: true })],
  ["/images/intel-nuc/latest?developmentMode=false", image("latest")],
  [
    "/images/intel-nuc/latest?imageType=flasher&fileType=.gz",
    image("latest", { imageType: "flasher", fileType: ".gz" }),
  ],
])("%s", (path, expected) => {
  expect(tryRoute("GET", path)).toEqual(expected);
  expect(tryRoute("HEAD", path)).toEqual(expected);
  expect(tryRoute("GET", `/os/v1${path}`, "/os/v1")).toEqual(expected);
});

describe("is refused:", () => {
  test.each<[string, number]>([
    ["/", 404],
    ["//", 404],
    ["/images/", 404],
    ["/images//latest", 404],
    ["/images/intel-nuc", 404],
    ["/images/intel-nuc/", 404],
    ["/images/intel-nuc/latest/", 404],
    ["/images/intel-nuc/latest/more", 404],
    ["//images/intel-nuc/latest", 404],
    ["/versions", 404],
    ["/versions/intel-nuc/latest", 404],
    ["/healthz/", 404],
    ["/Images", 404],
    ["/toString", 404],
    ["/__proto__/1", 404],
    ["/%69mages", 404],
    ["/images/../../etc/passwd", 404],
    ["/images/intel-nuc/%zz", 400],
    ["/images/%zz/latest", 400],
    ["/versions/%E0%A4%A", 400],
    ["/images/intel-nuc/%00", 400],
    ["/images/intel-nuc%00/latest", 400],
    ["/images/intel-nuc/6.1.0%2F..%2F..", 400],
    ["/images/..%2f..%2fetc/latest", 400],
    ["/images/intel-nuc-/latest", 400],
    ["/images/intel-nuc/LATEST", 400],
    ["/images/intel-nuc/%20", 400],
    ["/images/intel-nuc/6.1.0%0d%0aset-cookie:x", 400],
    [`/images/${"a".repeat(100_000)}/latest`, 400],
    [`/images/intel-nuc/${"6".repeat(100_000)}`, 400],
    ["/images?all=1", 400],
    ["/versions/intel-nuc?includeDrafts=true", 400],
    ["/images/intel-nuc/latest?developmentMode=1", 400],
    ["/images/intel-nuc/latest?developmentMode=", 400],
    ["/images/intel-nuc/latest?imageType=", 400],
    ["/images/intel-nuc/latest?imageType=tar", 400],
    ["/images/intel-nuc/latest?fileType=img", 400],
    ["/images/intel-nuc/latest?fileType=.gz&fileType=.img", 400],
    ["/images/intel-nuc/latest?__proto__=1", 400],
  ])("%s", (path, status) => {
    const problem = tryRoute("GET", path);
    expect(problem).toBeInstanceOf(HttpProblem);
    expect((problem as HttpProblem).status).toBe(status);
    expect((problem as HttpProblem).message.length).toBeLessThan(300);
  });

  test.each([
    "wifiKey",
    "wifiSsid",
    "appId",
    "scope",
    "network",
    "appUpdatePollInterval",
    "token",
    "DevelopmentMode",
  ])("the parameter %s, naming those that there are", (name) => {
    const problem = tryRoute("GET", `/images/intel-nuc/latest?${name}=hunter2`) as HttpProblem;
    expect(problem.status).toBe(400);
    expect(problem.message).toContain("developmentMode, imageType, fileType");
    expect(problem.message).not.toContain("hunter2");
  });

  test.each(["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "get"])("%s", (method) => {
    for (const path of ["/images/intel-nuc/latest", "/images", "/versions/intel-nuc", "/healthz"])
      expect(tryRoute(method, path)).toMatchObject({ status: 405, headers: { allow: "GET, HEAD" } });
    expect(tryRoute(method, "/nothing")).toMatchObject({ status: 404 });
  });

  test.each(["/images", "/osx/images", "/o/images", "/os", "/os/"])("%s under the base path /os", (path) => {
    expect(tryRoute("GET", path, "/os")).toMatchObject({ status: 404 });
  });
});
