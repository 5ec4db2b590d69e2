// `npm run demo`: sends the message of the documentation and one for each outcome of the sandbox, and shows their lives as they happen.
// Uses the instance that runs on the data folder, or starts one and stops it at the end (`--keep` leaves it running); of a bundle with `--entry dist/heliograph.mjs`.
import { parseArgs } from "node:util";
import { dataDirOf, findInstance, isAlive, readInstance } from "../shared/instance.ts";
import { runDemo } from "./run.ts";
import { DemoError, startInstance, type Started } from "./start.ts";
import { paint, say } from "./view.ts";
import { allowClosedOutput } from "../shared/output.ts";

allowClosedOutput();

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => interrupted.abort(new DemoError("interrupted")));

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: { keep: { type: "boolean", default: false }, entry: { type: "string" } },
  });
  const dataDir = dataDirOf(process.env);
  const running = await findInstance(dataDir);
  let started: Started | undefined;
  const written = readInstance(dataDir);
  if (running === undefined && written !== undefined && isAlive(written.pid))
    throw new DemoError(
      `Heliograph runs at ${written.baseUrl} (process ${written.pid}) but is not ready; ${written.baseUrl}/readyz says when it is.`,
    );
  if (running === undefined) {
    say("Starting Heliograph …");
    started = await startInstance(dataDir, values.keep, interrupted.signal, values.entry);
  }
  const instance = running ?? started!.instance;
  try {
    interrupted.signal.throwIfAborted();
    say(`${paint("bold", "Heliograph")} at ${instance.baseUrl}, sandbox`);
    return await runDemo(instance, interrupted.signal);
  } finally {
    if (!values.keep) await started?.stop();
    else say(`Heliograph keeps running at ${instance.baseUrl} (process ${instance.pid}).`);
  }
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  const known = error instanceof DemoError;
  process.stderr.write(
    `${known ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`,
  );
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
}
