// Every check, then every test. The last line is always `N passed, N failed, N skipped`, checks counted in, so that people
// and machines read one line. `--only <path>…` runs the tests below those paths without the checks; anything else that is
// given goes to vitest (`-t "name"`).
import { run, forwardSignals } from "./check/run.ts";
import { type CheckTotals, runSteps } from "./check/steps.ts";

const summary = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;

/** Runs vitest, showing its output line by line but for the summary, which is returned. */
async function runTests(args: readonly string[]): Promise<CheckTotals> {
  let rest = "";
  let totals: CheckTotals = { passed: 0, failed: 0, skipped: 0 };
  const take = (text: string): void => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, passed, failed, skipped] = summary.exec(line) ?? [];
      if (passed === undefined) console.log(line);
      else totals = { passed: +passed, failed: Number(failed), skipped: Number(skipped) };
    }
  };
  const { code } = await run("vitest", ["run", ...args], take);
  if (rest) take("\n");
  // An error outside any test (a leak, a file that cannot be loaded, a crash of vitest itself) is a failure all the same.
  return code !== 0 && totals.failed === 0 ? { ...totals, failed: 1 } : totals;
}

forwardSignals();
const args = process.argv.slice(2);
const only = args.includes("--only");
const checks = only ? { passed: 0, failed: 0, skipped: 0 } : await runSteps(console.log);
const tests = await runTests(args.filter((argument) => argument !== "--only"));
const failed = checks.failed + tests.failed;
console.log(
  `${checks.passed + tests.passed} passed, ${failed} failed, ${checks.skipped + tests.skipped} skipped`,
);
process.exitCode = failed === 0 ? 0 : 1;
