// The tests of `npm test`: all that need neither a build nor a server.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Compiling is most of what a short process does, be it a worker or one that a test starts: those after the first need not.
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(new URL("node_modules/.cache/compiled", import.meta.url));

const exclude = ["bench/**", "test/package/**", "test/services/**", "test/runtimes/**"];

/**
 * Files that get a process of their own: they replace modules or globals, set the environment, or count what the process holds. Loading the
 * library and what tests share takes longer than most files' tests, so all others share processes.
 */
const apart = [
  "test/adapters/{balena-sdk,drop-in,fs-faults,node-hash,node-inflate,save-image-faults}.test.ts",
  "test/cli/words.test.ts",
  "test/core/piece-memory.test.ts",
  "test/core/sharing/{leaks,memory}.test.ts",
  "test/core/transfer/{held-body,left-inflater}.test.ts",
  "test/simulation/**/*.test.ts",
];

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: "apart", include: apart, exclude } },
      {
        extends: true,
        test: {
          name: "together",
          isolate: false,
          include: ["test/**/*.test.ts"],
          exclude: [...exclude, ...apart],
        },
      },
    ],
    setupFiles: "test/support/each-file.ts",
    // A condition is waited for, however long a busy machine takes: these limits only end a test that would hang.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 120_000, interval: 10 } },
    // What the matrices found is printed where they fail; `npm test -- --silent=false FILE` shows it always.
    silent: "passed-only",
    // Most tests wait for sockets and timers: on two cores, four workers take far less time than the one that is the default.
    maxWorkers: 4,
    // For the same reason, of the tests of a file that say they may run at once.
    maxConcurrency: 12,
    // With more workers than cores, threads that collect garbage side by side only wait for each other: a sixth of the processor time.
    execArgv: ["--single-threaded-gc"],
    // A promise that rejects unseen fails the run: the library promises that none does.
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
