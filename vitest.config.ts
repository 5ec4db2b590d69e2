import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: [
      "packages/*/test/**/*.test.ts",
      "services/*/test/**/*.test.ts",
      "scripts/**/*.test.ts",
    ],
    // One PostgreSQL server a run; the tests make their own databases on it.
    globalSetup: ["packages/testkit/src/global-setup.ts"],
    reporters: ["default", "./scripts/vitest-reporter.ts"],
    pool: "forks",
    // The smallest supported machine has two cores. Tests wait for brokers, leases and time-outs more than half of their time, so one worker more than cores.
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 60_000,
  },
});
