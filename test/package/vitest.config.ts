// Tests of the package as users get it. They need a build, which `npm test` must not: hence a run of their own.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/package/*.test.ts"],
    globalSetup: "test/package/pack.ts",
    testTimeout: 120_000,
  },
});
