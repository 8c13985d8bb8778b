// The tests of `npm test`: all that need neither a build nor a server.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["bench/**", "test/package/**", "test/services/**", "test/runtimes/**"],
    testTimeout: 20_000,
    // A condition is waited for, however long a busy machine takes: the limit only ends a test that would hang.
    expect: { poll: { timeout: 15_000, interval: 10 } },
    // What the matrices found is printed where they fail; `npm test -- --silent=false FILE` shows it always.
    silent: "passed-only",
    // Most tests wait for sockets and timers: on two cores, four workers take far less time than the one that is the default.
    maxWorkers: 4,
    // For the same reason, of the tests of a file that say they may run at once.
    maxConcurrency: 12,
    // A promise that rejects unseen fails the run: the library promises that none does.
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
