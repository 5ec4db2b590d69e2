// Every check, then every test. The last line is always `N passed, N failed, N skipped`, checks counted in, so that people
// and machines read one line. `--only <path>…` runs the tests below those paths without the checks; anything else that is
// given goes to vitest (`-t "name"`). Of a whole run a file or two that failed are run a second time, by themselves, and named when they pass.
import { afterRunningAgain, filesToRunAgain, type TestTotals } from "./check/again.ts";
import { run, forwardSignals } from "./check/run.ts";
import { runSteps } from "./check/steps.ts";
import { failedFileMark } from "./vitest-reporter.ts";

const summary = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;

/** Runs vitest, showing its output line by line but for the summary, which is returned. */
async function runTests(args: readonly string[]): Promise<TestTotals> {
  let rest = "";
  let totals = { passed: 0, failed: 0, skipped: 0 };
  const failedFiles: string[] = [];
  const take = (text: string): void => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, passed, failed, skipped] = summary.exec(line) ?? [];
      if (line.startsWith(failedFileMark)) failedFiles.push(line.slice(failedFileMark.length));
      if (passed === undefined) console.log(line);
      else totals = { passed: +passed, failed: Number(failed), skipped: Number(skipped) };
    }
  };
  const { code } = await run("vitest", ["run", ...args], take);
  if (rest) take("\n");
  // An error outside any test (a leak, a file that cannot be loaded, a crash of vitest itself) is a failure all the same.
  return code !== 0 && totals.failed === 0
    ? { ...totals, failed: 1, failedFiles: [] }
    : { ...totals, failedFiles };
}

forwardSignals();
const args = process.argv.slice(2);
const only = args.includes("--only");
const checks = only ? { passed: 0, failed: 0, skipped: 0 } : await runSteps(console.log);
let tests = await runTests(args.filter((argument) => argument !== "--only"));
const again = args.length === 0 ? filesToRunAgain(tests) : [];
if (again.length > 0) {
  console.log(`again, by themselves: ${again.join(", ")}`);
  tests = afterRunningAgain(tests, await runTests(again));
  if (tests.failed === 0)
    console.log(`passed only when run again, a fault to mend all the same: ${again.join(", ")}`);
}
const failed = checks.failed + tests.failed;
console.log(
  `${checks.passed + tests.passed} passed, ${failed} failed, ${checks.skipped + tests.skipped} skipped`,
);
process.exitCode = failed === 0 ? 0 : 1;
