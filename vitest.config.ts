import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/bench/**", "test/package/**", "test/services/**", "test/runtimes/**"],
    testTimeout: 20_000,
    // Most tests wait for sockets and timers: on two cores, four workers take far less time than the one that is the default.
    maxWorkers: 4,
    // A promise that rejects unseen fails the run: the library promises that none does.
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
