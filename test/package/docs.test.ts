// Every code example of the documentation, as it stands there: compiled against the package, and run.
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, inject, test } from "vitest";
import { inLanes } from "../runtimes/run/lanes.ts";
import { startBalenaApi } from "../support/balena-api/index.ts";
import { sharedFakeS3 } from "../support/fake-s3.ts";
import { sha256Of } from "./docs/answer.ts";
import { compileExamples } from "./docs/compile.ts";
import { findExamples } from "./docs/examples.ts";
import { placeExamples } from "./docs/project.ts";
import { listOf } from "./docs/report.ts";
import { type Run, runExample } from "./docs/run.ts";

const api = await startBalenaApi({ imageBytes: 2 * 1024 * 1024 });
afterAll(() => api.close());
const s3 = await sharedFakeS3();
const sha256 = await api.image("raspberrypi4-64", "6.1.0").sha256;
const surroundings = { servers: { api: api.url, s3: s3.url }, sha256 };

const base = join(inject("project"), "docs");
const examples = await placeExamples(await findExamples(), base);
const toRun = examples.filter(({ notRun }) => notRun === undefined);
const [compiled, ran] = await Promise.all([
  compileExamples(base, examples),
  inLanes(
    2,
    toRun.map((example) => () => runExample(example, surroundings)),
  ),
]);
const runs = new Map<string, Run>(toRun.map(({ name }, index) => [name, ran[index]!]));
afterAll(() => console.log(listOf(examples, compiled, runs)));

describe.each(examples.map((example) => [example.name, example] as const))(
  "%s",
  (name, { notRun, runtime }) => {
    test("compiles", () => {
      expect(compiled.get(name)).toBeUndefined();
    });

    test.skipIf(notRun)(`runs on ${runtime}`, () => {
      expect(runs.get(name)?.error).toBe("");
    });
  },
);

test("what the examples are compiled against compiles", () => {
  expect(compiled.get("")).toBeUndefined();
});

test("README, pages and sources all have examples", () => {
  const files = new Set(examples.map(({ name }) => name.split(/[/:]/)[0]));
  expect([...files]).toEqual(expect.arrayContaining(["README.md", "docs", "src"]));
});

test("README's first example writes the image, from the network and then from the cache", async () => {
  const example = examples.find(({ name }) => name.startsWith("README.md:"))!;
  const written = join(example.directory, "balena.img");
  const first = runs.get(example.name)!;
  for (const origin of ["network", "cache"]) {
    const { stdout, error } = origin === "network" ? first : await runExample(example, surroundings);
    expect({ stdout, error }).toEqual({
      stdout: `balenaOS 6.1.0 for raspberrypi4-64, from ${origin}\n`,
      error: "",
    });
    expect(sha256Of(await readFile(written))).toBe(sha256);
    await rm(written);
  }
});
