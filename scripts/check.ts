// Everything that can be said about the tree without running it. Prints a line a check, and the output of those that fail; `--report` prints figures instead.
import { forwardSignals } from "./check/run.ts";
import { structureReport } from "./check/report.ts";
import { runSteps } from "./check/steps.ts";

forwardSignals();
if (process.argv.includes("--report")) {
  console.log(structureReport(".").join("\n"));
  process.exit();
}
const { passed, failed, skipped } = await runSteps(console.log);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
