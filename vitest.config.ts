import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/bench/**", "test/package/**", "test/services/**", "test/runtimes/**"],
    testTimeout: 20_000,
    // A promise that rejects unseen fails the run: the library promises that none does.
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
