import { relative } from "node:path";
import { processorMs } from "@heliograph/testkit/processor-time";
import type { Reporter, TestModule } from "vitest/node";

/** Named after each run, so that whoever adds to them sees it. */
const dearestShown = 10;

/**
 * Prints which files took most of the processors and, alone on the last line, `N passed, N failed, N skipped`, for whoever reads the result by program. What failed
 * outside a test (an import, an unhandled rejection) counts as a failure, else a broken run would look like a good one.
 */
export default class SummaryLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      count.failed += module.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "pending") count.failed++;
        else count[state]++;
      }
    }
    // Other reporters write in the same turn; these lines have to come after theirs, and the servers have ended then.
    process.once("exit", () => {
      const lines = [
        ...processorLines(modules),
        `${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`,
      ];
      process.stdout.write(lines.map((line) => `${line}\n`).join(""));
    });
  }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1).padStart(7)} s`;

/** Time on the clock would tell how busy the machine was; this tells what the files cost on any. */
function processorLines(modules: readonly TestModule[]): readonly string[] {
  const files = modules.map((module) => ({
    name: relative(process.cwd(), module.moduleId),
    ms: module.meta().processorMs ?? 0,
  }));
  const sum = files.reduce((total, { ms }) => total + ms, 0);
  return [
    `${seconds(processorMs())}  of the processors: vitest, the PostgreSQL and the Kafka that all share, and`,
    `${seconds(sum)}  the files, with the processes that they start; the dearest of ${files.length} are`,
    ...files
      .toSorted((one, other) => other.ms - one.ms)
      .slice(0, dearestShown)
      .map(({ name, ms }) => `${seconds(ms)}  ${name}`),
  ];
}
