// Tests against real servers; `npm run test:services` starts them and sets TEST_REDIS_URL and TEST_S3_*.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/services/**/*.test.ts"],
    // One server of a kind for all, on few cores: files take turns, so that a time limit means something.
    fileParallelism: false,
    testTimeout: 60_000,
    expect: { poll: { timeout: 15_000, interval: 10 } }, // as in vitest.config.ts
    hookTimeout: 60_000,
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
