// The suites under Deno.test, whose sanitizers also fail a test that leaves a timer or a connection behind.
import { balenaSdkSource } from "../../../src/adapters/balena-sdk/index.ts";
import { fsAdapter } from "../../../src/adapters/fs/index.ts";
import { memoryAdapter } from "../../../src/adapters/memory/index.ts";
import { registerSuites } from "../suites/index.ts";
import { nodeParts } from "./node-parts.ts";

declare const Deno: {
  test(definition: { name: string; fn: () => void | Promise<void>; ignore?: boolean }): void;
  env: { get(name: string): string | undefined };
};
const setting = (name: string) => Deno.env.get(name) ?? "";

await registerSuites({
  test: (name, fn) => Deno.test({ name, fn }),
  skip: (name) => Deno.test({ name, ignore: true, fn: () => {} }),
  controlUrl: setting("TEST_CONTROL_URL"),
  stores: {
    memory: memoryAdapter,
    fs: () => fsAdapter({ base: `${setting("TEST_DIRECTORY")}/${crypto.randomUUID()}` }),
    r2: "R2 is a Worker's binding",
  },
  sdkSource: balenaSdkSource,
  node: nodeParts(setting("TEST_DIRECTORY")),
});
