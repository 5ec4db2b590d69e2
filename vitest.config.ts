import { defineConfig } from "vitest/config";

const everywhere = [
  "packages/*/test/**/*.test.ts",
  "services/*/test/**/*.test.ts",
  "scripts/**/*.test.ts",
];

/**
 * Files that share a worker's modules: the worker loads the product once for all of them, which is half of the processor time of a typical file. What such a file changes of
 * its process (a variable, a global, fake timers) it puts back, and it leaves no timer running: `watchLeaks` would blame the next. The rest has a process for each file.
 */
const sharing = [
  "packages/{acceptance,api,attachments,channels,client,contracts,domain,gateways,html,log,platform,runtime,tracing,vault}/test/**/*.test.ts",
  "scripts/boundaries.test.ts",
  "scripts/check/{advisories,docs,readers,tidy}.test.ts",
  "scripts/faults/{check-funds,front}.test.ts",
  "scripts/ops/capacity.test.ts",
  "scripts/soak/*.test.ts",
  "services/console/test/{door,hub,nav,own-path,routing}.test.ts",
  "services/{agents,contacts,control,conversations,delivery,dispatch,evaluations,inbound,ingress,lifecycle,mobile,operations,sandbox,suppressions,templates,usage,wallet,webhooks}/test/**/*.test.ts",
];

const eachFile = "packages/testkit/src/each-file.ts";
const properties = "packages/testkit/src/properties.ts";
const freshCounters = "packages/testkit/src/fresh-counters.ts";

const common = {
  pool: "forks",
  // Workers load modules as Node does, types stripped and compiled code kept in the compile cache, and not through Vite. Its loader is for vi.mock, which nothing here uses.
  experimental: { viteModuleRunner: false, nodeLoader: false },
  testTimeout: 30_000,
  hookTimeout: 60_000,
  teardownTimeout: 60_000,
} as const;

export default defineConfig({
  test: {
    // One PostgreSQL server a run; the tests make their own databases on it.
    globalSetup: ["packages/testkit/src/global-setup.ts"],
    reporters: ["default", "./scripts/vitest-reporter.ts"],
    // The smallest supported machine has two cores. A worker waits for brokers, leases and time-outs about half of its time, so there are five: three left a fifth of two cores idle, four a tenth.
    maxWorkers: 5,
    teardownTimeout: 60_000,
    projects: [
      // First by its name: here are the longest files, which must not be the last.
      {
        test: {
          ...common,
          name: "alone",
          include: everywhere,
          exclude: sharing,
          setupFiles: [eachFile, properties],
        },
      },
      {
        test: {
          ...common,
          name: "sharing",
          include: sharing,
          isolate: false,
          setupFiles: [eachFile, properties, freshCounters],
        },
      },
    ],
  },
});
