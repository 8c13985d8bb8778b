// The suites under bun test.
import { join } from "node:path";
import { balenaSdkSource } from "../../../src/adapters/balena-sdk/index.ts";
import { fsAdapter } from "../../../src/adapters/fs/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { registerSuites } from "../suites/index.ts";
import { nodeParts, openFiles } from "./node-parts.ts";

interface BunTest {
  test: ((name: string, run: () => Promise<void>) => void) & { skip(name: string, run: () => void): void };
}
// Named at run time, for nothing here brings the types of Bun.
const runner = "bun:test";
const { test } = (await import(runner)) as BunTest;
const { TEST_CONTROL_URL = "", TEST_DIRECTORY = "" } = process.env;

await registerSuites({
  test,
  skip: (name) => test.skip(name, () => {}),
  controlUrl: TEST_CONTROL_URL,
  stores: {
    memory: memoryAdapter,
    fs: () => fsAdapter({ base: join(TEST_DIRECTORY, crypto.randomUUID()) }),
    r2: "R2 is a Worker's binding",
  },
  sdkSource: balenaSdkSource,
  node: nodeParts(TEST_DIRECTORY),
  resources: async () => ({ files: await openFiles() }),
});
