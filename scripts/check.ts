// Everything that can be said about the tree without running it. Prints a line a check, and the output of those that fail.
import { forwardSignals } from "./check/run.ts";
import { runSteps } from "./check/steps.ts";

forwardSignals();
const { passed, failed } = await runSteps(console.log);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
