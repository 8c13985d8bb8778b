// The suites under node:test.
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { balenaSdkSource } from "../../../src/adapters/balena-sdk/index.ts";
import { fsAdapter } from "../../../src/adapters/fs/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { registerSuites } from "../suites/index.ts";
import { nodeParts, nodeResources } from "./node-parts.ts";

const { TEST_CONTROL_URL = "", TEST_DIRECTORY = "" } = process.env;

await registerSuites({
  test: (name, run) => void test(name, run),
  skip: (name, reason) => void test(name, { skip: reason }),
  controlUrl: TEST_CONTROL_URL,
  stores: {
    memory: memoryAdapter,
    fs: () => fsAdapter({ base: join(TEST_DIRECTORY, randomUUID()) }),
    r2: "R2 is a Worker's binding",
  },
  sdkSource: balenaSdkSource,
  node: nodeParts(TEST_DIRECTORY),
  resources: nodeResources,
});
